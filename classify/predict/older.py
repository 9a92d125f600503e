"""A model beside an older one, on the same labelled images: the gate of a release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ...errors import DataError, ModelError
from ...extract.recipe import Execution
from ...text import shown
from ..saved.load import SavedModel
from ..statistics.gates import DIFFERENCE
from ..statistics.metrics import FigureDocument, evaluate
from ..statistics.paired_tests import LEVEL, PairedTestDocument, paired_test
from .evaluate_model import EvaluationRun
from .evaluation_record import ComparedWith, EvaluateDocument
from .labelled import label_dataset


def compare_with(
    run: EvaluationRun, old: SavedModel, path: Path, execution: Execution
) -> EvaluationRun:
    """Return the run with ``compared_with``: the old model on the same images, paired.

    Parameters
    ----------
    run : EvaluationRun
        Of the new model.
    old : SavedModel
        The other.
    path : Path
        Its file, for the record.
    execution : Execution
        Where the cache is and how to run.

    Raises
    ------
    DataError
        If the old model cannot read an image that the new one could.
    ModelError
        If it lacks a class of these images.
    """
    images = run.labelled.images
    if missing := sorted({image.label for image in images} - set(old.classes)):
        raise ModelError(
            f"{path} does not know {len(missing)} of these images' classes, such as "
            f"{shown(missing[0])}: compare models of the same classes"
        )
    labelled = label_dataset(old, images, execution)
    if labelled.failures:
        first = labelled.failures[0]
        raise DataError(f"{path} cannot read {first}")
    right, old_right = (
        each.probabilities.argmax(axis=1) == each.truth for each in (run.labelled, labelled)
    )
    split = run.record["data"]["split"]
    test = paired_test(old_right, right)
    compared: ComparedWith = {
        "path": str(path),
        "model": old.name,
        "evaluation": evaluate(labelled.truth, labelled.probabilities, split),
        "tests": test,
        "verdict": verdict(test),
    }
    record: EvaluateDocument = {**run.record, "compared_with": compared}
    return replace(run, record=record, warnings=[*run.warnings, *labelled.warnings])


def verdict(test: PairedTestDocument) -> str:
    """Say whether the second of two models is better, worse, or neither can be told.

    Examples
    --------
    >>> import numpy as np
    >>> verdict(paired_test(np.ones(100, dtype=bool), np.arange(100) >= 9))
    'worse than the old model'
    """
    if test["mcnemar_p"] >= LEVEL:
        return "no difference from the old model can be told"
    return f"{'better' if test['difference'] > 0 else 'worse'} than the old model"


def gated_figures(record: EvaluateDocument) -> Mapping[str, FigureDocument]:
    """Return what ``--assert`` may name: every figure, and the difference to an old model."""
    if "compared_with" not in record:
        return record["figures"]
    tests = record["compared_with"]["tests"]
    difference: FigureDocument = {"value": tests["difference"], "ci95": tests["difference_ci95"]}
    return {**record["figures"], DIFFERENCE: difference}
