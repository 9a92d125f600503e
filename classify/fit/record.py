"""What ``fit head`` says of each head, and what a saved classifier remembers for its card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from ...cache.rows import take
from ...extract.images.images import Dataset
from ...text import shown
from ..data.table import Table
from ..heads.abstention import describe_abstention
from ..saved.card import card_paths
from ..saved.head_model import trained_parameters
from ..saved.made_with import versions
from ..saved.records import (
    Account,
    DataCounts,
    HeadRecord,
    PrecisionDocument,
    SampleDocument,
    Sharpness,
    TapsDocument,
)
from ..statistics.confusion import confusion_matrix, most_confused, per_class
from ..statistics.metrics import EvaluationDocument, figures
from ..statistics.reliability import reliability
from ..statistics.sample import ECE_BINS
from .fit_head import FittedHead

WORST = 10  # pairs of classes that are confused most


def head_record(
    fitted: FittedHead,
    table: Table,
    dataset: Dataset,
    seed: int,
    path: Path | None,
    precision: PrecisionDocument | None,
) -> HeadRecord:
    """Return the ``fit head`` contract for one head."""
    rows = table.split.evaluation
    usual = fitted.abstainer.judge(take(table.X, rows), fitted.probabilities)
    right = fitted.probabilities.argmax(axis=1) == table.y[rows]
    return {
        "model": fitted.head.name,
        "params": fitted.choice.params,
        "cv": fitted.choice.cv,
        "evaluation": fitted.evaluation,
        "seconds": {
            "features": round(table.features.extraction.seconds, 3),
            "fit": round(fitted.seconds, 3),
        },
        "calibration": {
            "temperature": fitted.estimator.temperature_,
            "bins": ECE_BINS,
            "before": _sharpness(fitted.before),
            "after": _sharpness(fitted.evaluation),
            "reliability": reliability(table.y[rows], fitted.probabilities),
        },
        "abstention": describe_abstention(fitted.abstainer, usual, right),
        "taps": _describe_taps(fitted.choice.pipeline, table.layers),
        "classes": table.classes,
        "trainable_parameters": trained_parameters(fitted.estimator),
        "data": str(dataset.root.absolute()),
        "sample": _describe_sample(dataset),
        "more_rows": fitted.more_rows,
        "precision": precision,
        "path": None if path is None else str(path),
        "card": None if path is None else str(card_paths(path)[0]),
        "account": None,
        "seed": seed,
    }


def _sharpness(evaluation: EvaluationDocument) -> Sharpness:
    return {"log_loss": evaluation["log_loss"], "ece": evaluation["ece"]}


def _describe_sample(dataset: Dataset) -> SampleDocument | None:
    drawn = dataset.sampled
    return None if drawn is None else {"images": drawn.images, "of": drawn.of, "seed": drawn.seed}


def _describe_taps(pipeline: Pipeline, layers: list[str]) -> TapsDocument:
    """Say in words which layers a head sees and what it makes of the views."""
    taps = pipeline.named_steps.get("taps")
    if taps is None:
        return {"layers": layers, "views": "one view"}
    chosen = layers if taps.layers is None else [layers[position] for position in taps.layers]
    averaged = taps.views > 1 and taps.merge == "mean"
    return {"layers": chosen, "views": f"mean of {taps.views} views" if averaged else "one view"}


def give_account(
    table: Table, probabilities: NDArray[np.float64], seed: int, licence: str | None = None
) -> Account:
    """Return the ``account`` object of a record."""
    truth, k = table.y[table.split.evaluation], len(table.classes)
    matrix = confusion_matrix(truth, probabilities.argmax(axis=1), k)
    training = np.bincount(table.y[table.split.fitting], minlength=k).tolist()
    rows = zip(per_class(matrix, table.classes), training, strict=True)
    return {
        "data": _describe_data(table),
        "figures": figures(truth, probabilities, seed),
        "per_class": [{**row, "training": count} for row, count in rows],
        "confused": most_confused(matrix, table.classes)[:WORST],
        "versions": versions(),
        "license": licence,
    }


def _describe_data(table: Table) -> DataCounts:
    split, extraction = table.split, table.features.extraction
    kept = len(split.fitting) + len(split.evaluation)
    return {
        "name": shown(table.root.absolute().name),
        "images": len(table.y) + len(extraction.failures),
        "failed": len(extraction.failures),
        "copies": extraction.duplicates,
        "left_out": len(table.y) - kept,
        "training": len(split.fitting),
        "evaluation": len(split.evaluation),
        "split": split.name,
        "near_leaks": table.near_leaks().images,
    }
