"""Heads on frozen features against fine-tuning, on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..extract.dataset import Dataset
from ..extract.features import FeatureSource
from .evaluate import Evaluation, PairedTest, paired_test
from .finetune import FineTuneSettings, Stage, fine_tune_dataset
from .fit import Table, fit_head, load_table
from .heads import Head, find_heads
from .model import trained_parameters
from .resources import Cost, measured
from .unfreeze import find_depths

RESULTS_VERSION = 1


@dataclass(frozen=True)
class Approach:
    """One way to get a classifier, with its figures.

    Parameters
    ----------
    name : str
        For print.
    kind : str
        ``"transfer"`` or ``"finetune"``.
    chosen_by : float
        Accuracy on training data by which the best of a kind is picked.
    evaluation : Evaluation
        On the evaluation split.
    right : ndarray of bool, shape (n,)
        Which images it labelled right.
    cost : Cost
        Everything after the shared features.
    trainable_parameters : int
        Numbers that its training could move.
    budget : dict
        What it was allowed to try.
    """

    name: str
    kind: str
    chosen_by: float
    evaluation: Evaluation
    right: NDArray[np.bool_]
    cost: Cost
    trainable_parameters: int
    budget: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return one entry of the contract's ``approaches``."""
        figures = self.evaluation.to_dict()
        return {
            "name": self.name,
            "kind": self.kind,
            **{key: figures[key] for key in ("accuracy", "ci95", "macro_f1", "log_loss", "ece")},
            "seconds": round(self.cost.seconds, 3),
            "peak_memory_mb": self.cost.peak_memory_mb,
            "trainable_parameters": self.trainable_parameters,
            "budget": self.budget,
        }


def compare(
    dataset: Dataset,
    source: FeatureSource,
    heads: Sequence[str],
    settings: FineTuneSettings,
    stage: Stage,
    max_failures: str | None = None,
) -> dict[str, Any]:
    """Run every approach on the same split and return the ``results.json`` contract.

    The best head is the one with the best cross-validated accuracy, so the
    evaluation split is used once, for the figures alone.

    Parameters
    ----------
    dataset : Dataset
        With labels.
    source : FeatureSource
        The features of the heads, and the network to fine-tune.
    heads : sequence of str
        Names in the table of heads.
    settings : FineTuneSettings
        For the fine-tuned network.
    stage : callable
        Told what runs; returns where to tell its progress.
    max_failures : str, optional
        See :func:`headstart.extract.pipeline.check_failures`.
    """
    rows = find_heads(heads)
    find_depths(source, settings.unfreeze)  # an error now, not after an extraction
    table = load_table(dataset, source, max_failures, stage("features"))
    approaches = []
    for row in rows:
        stage(f"head {row.name}")
        approaches.append(_transfer(row, table, settings.seed))
    approaches.append(_fine_tuned(table, source, settings, stage))
    best = max((a for a in approaches if a.kind == "transfer"), key=lambda a: a.chosen_by)
    tuned = approaches[-1]
    test = paired_test(best.right, tuned.right, settings.seed)
    return {
        "version": RESULTS_VERSION,
        "dataset": _describe(dataset, table),
        "approaches": [approach.to_dict() for approach in approaches],
        "tests": {"first": best.name, "second": tuned.name, **test.to_dict()},
        "verdict": verdict(best, tuned, test),
        "features": {
            "seconds": round(table.features.extraction.seconds, 3),
            "extracted": table.features.extraction.extracted,
            "spec": {"id": source.spec.id, "backbone": source.spec.backbone},
        },
        "settings": {"heads": list(heads), "finetune": settings.to_dict()},
        "headstart": __version__,
        "warnings": table.warnings,
    }


def verdict(head: Approach, tuned: Approach, test: PairedTest) -> str:
    """Say in words which of two approaches to use, from the figures alone.

    Parameters
    ----------
    head, tuned : Approach
        The best head and the fine-tuned network.
    test : PairedTest
        Of the head (first) against the network (second).
    """
    n = tuned.evaluation.n
    low, high = (100 * bound for bound in test.difference_ci95)
    figures = (
        f"{tuned.evaluation.accuracy:.1%} against {head.evaluation.accuracy:.1%} on {n} images; "
        f"difference {100 * test.difference:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}, "
        f"McNemar p = {_p(test.mcnemar_p)}"
    )
    times = tuned.cost.seconds / max(head.cost.seconds, 1e-9)
    cost = f"{_seconds(tuned.cost.seconds)} against {_seconds(head.cost.seconds)} of training"
    if test.mcnemar_p >= 0.05 or low <= 0 <= high:
        cheaper = head.name if times >= 1 else tuned.name
        return (
            f"{tuned.name} and {head.name} cannot be told apart ({figures}): "
            f"use {cheaper}, which costs less ({cost})."
        )
    if test.difference > 0:
        return f"Fine-tuning wins: {tuned.name} over {head.name} ({figures}), at {cost}."
    return f"The head wins: {head.name} over {tuned.name} ({figures}), and it costs less ({cost})."


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def _transfer(head: Head, table: Table, seed: int) -> Approach:
    with measured() as cost:
        fitted = fit_head(head, table, seed)
    cv = fitted.choice.cv
    return Approach(
        name=head.name,
        kind="transfer",
        chosen_by=cv.mean,
        evaluation=fitted.evaluation,
        right=_right(fitted.probabilities, table),
        cost=cost,
        trainable_parameters=trained_parameters(fitted.estimator),
        budget={"candidates": cv.candidates, "folds": cv.folds, "cv_accuracy": cv.mean},
    )


def _fine_tuned(
    table: Table, source: FeatureSource, settings: FineTuneSettings, stage: Stage
) -> Approach:
    with measured() as cost:
        tuned = fine_tune_dataset(table, source, settings, stage)
    if tuned.diverged is not None:
        table.warnings.append(f"{tuned.name} diverged, its best weights count: {tuned.diverged}")
    return Approach(
        name=tuned.name,
        kind="finetune",
        chosen_by=tuned.chosen_by,
        evaluation=tuned.evaluation,
        right=_right(tuned.probabilities, table),
        cost=cost,
        trainable_parameters=tuned.trainable_parameters,
        budget={
            "candidates": tuned.head.choice.cv.candidates,
            "epochs_allowed": settings.epochs * len(tuned.unfreeze),
            "epochs_run": sum(entry["epoch"] > 0 for entry in tuned.history),
            "epochs_kept": tuned.epochs,
            "training_images": tuned.training_images,
            "held_out_images": tuned.held_out_images,
            "training_seconds": round(tuned.seconds, 3),
            "history": tuned.history,
        },
    )


def _right(probabilities: NDArray[np.float64], table: Table) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = probabilities.argmax(axis=1) == table.y[table.split.evaluation]
    return right


def _describe(dataset: Dataset, table: Table) -> dict[str, Any]:
    return {
        "path": str(dataset.root),
        "images": len(dataset.images),
        "classes": table.classes,
        "training": len(table.split.fitting),
        "evaluation": len(table.split.evaluation),
        "split": table.split.name,
        "failed": len(table.features.extraction.failures),
    }
