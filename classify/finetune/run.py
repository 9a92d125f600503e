"""Photographs to an evaluated fine-tuned network: features, head, training, one evaluation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import TrainingError
from ...extract.backbone.embedded import part_of
from ...extract.images.images import Dataset
from ...extract.images.remote import Remote
from ...extract.source import FeatureSource
from ..data.table import Table, load_table
from ..fit.record import give_account
from ..saved.card import card_paths, save_with_card
from ..statistics.metrics import FigureDocument, figures
from ..statistics.paired_tests import paired_test
from ..statistics.reliability import reliability
from ..statistics.sample import ECE_BINS, Labels, Probabilities
from .eligible import check_depths
from .finetune import FineTunedResult, fine_tune_dataset
from .settings import FineTuneSettings


@dataclass(frozen=True)
class NetworkRun:
    """What ``fit finetune`` gives.

    Parameters
    ----------
    record : dict
        The contract.
    warnings : list of str
        What is worth telling.
    truth : ndarray of int, shape (n,)
        Classes of the evaluation split.
    probabilities : ndarray, shape (n, k)
        Predicted there.
    """

    record: dict[str, Any]
    warnings: list[str]
    truth: Labels
    probabilities: Probabilities

    def figures(self) -> dict[str, FigureDocument]:
        """Return every metric with its interval."""
        return figures(self.truth, self.probabilities, self.record["seed"])


def fit_network(
    dataset: Dataset,
    source: FeatureSource,
    settings: FineTuneSettings,
    out: Path | None = None,
    licence: str | None = None,
    max_failures: str | None = None,
    *,
    embed: bool = False,
) -> NetworkRun:
    """Run ``fit finetune``: search, train the winner, evaluate once, save where told.

    Parameters
    ----------
    dataset : Dataset
        With labels.
    source : FeatureSource
        The head's features.
    settings : FineTuneSettings
        What moves, and how.
    out : Path, optional
        File for the classifier.
    licence : str, optional
        Of the classifier, for its card.
    max_failures : str, optional
        See :func:`headstart.extract.failures.check_failures`.
    embed : bool
        Whether the backbone's file travels inside the classifier's.

    Raises
    ------
    TrainingError
        If training diverged. The best weights are in ``out`` then, or in the
        cache, in the file that the message names.
    """
    check_depths(source, settings)  # a typing error must not cost an extraction
    also = part_of(source.weights, source.spec.weights_sha256) if embed else {}
    table = load_table(dataset, source, max_failures)
    result = fine_tune_dataset(table, source, settings)
    if result.diverged is not None and out is None:
        out = source.cache / "checkpoints" / "diverged.headstart"
    record = network_record(result, table, dataset.root, settings, out)
    if out is not None:
        record["account"] = give_account(table, result.probabilities, settings.seed, licence)
        save_with_card(replace(result.model, record=record), out, also)
    if result.diverged is not None:
        raise TrainingError(
            f"training diverged: {result.diverged}; the best weights, those after "
            f"{result.best.epoch} epochs, are in {out}; take a lower --learning-rate than "
            f"{result.best.candidate.learning_rate:g}"
        )
    truth = table.y[table.split.evaluation]
    return NetworkRun(record, table.warnings, truth, result.probabilities)


def network_record(
    result: FineTunedResult,
    table: Table,
    data: Path | Remote,
    settings: FineTuneSettings,
    path: Path | None,
) -> dict[str, Any]:
    """Return the ``fit finetune`` contract: that of ``fit head`` without ``cv``, and more."""
    head = result.head
    truth = table.y[table.split.evaluation]
    head_right = np.asarray(head.probabilities).argmax(axis=1) == truth
    right = result.probabilities.argmax(axis=1) == truth
    return {
        "model": result.name,
        "params": settings.to_dict(),
        "evaluation": result.evaluation,
        "seconds": {
            "features": round(table.features.extraction.seconds, 3),
            "fit": round(head.seconds + sum(result.seconds.values()), 3),
            "search": round(result.seconds["search"], 3),
            "training": round(result.seconds["training"], 3),
        },
        "calibration": {
            "temperature": result.temperature,
            "bins": ECE_BINS,
            "reliability": reliability(truth, result.probabilities),
        },
        "classes": table.classes,
        "data": str(data.absolute()),
        "path": None if path is None else str(path),
        "card": None if path is None else str(card_paths(path)[0]),
        "account": None,
        "seed": settings.seed,
        "unfreeze": [result.best.candidate.unfreeze],
        "history": result.best.history,
        "epochs": result.best.epoch,
        "search": result.search.describe(settings),
        "moved": result.moved,
        "boundary": result.boundary,
        "trainable_parameters": result.trainable_parameters,
        "images": {
            "training": result.training_images,
            "held_out": result.search.held_out,
            "evaluation": len(truth),
        },
        "head": {
            "model": head.head.name,
            "params": head.choice.params,
            "evaluation": head.evaluation,
            "seconds": round(head.seconds, 3),
        },
        "against_head": paired_test(head_right, right),
    }
