"""Heads on frozen features against fine-tuning, on the same images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..extract.backbones import find_backbone
from ..extract.dataset import Dataset
from ..extract.features import FeatureSource, load_features
from ..extract.pipeline import Progress
from .evaluate import Evaluation, PairedTest, evaluate, paired_test
from .finetune import FineTuneSettings, fine_tune, freeze_boundary, hold_out, last_block
from .fit import FittedHead, Table, fit_head, load_table
from .heads import PROBE, Head, find_heads
from .model import linear_layer, trained_parameters
from .resources import Cost, measured
from .select import fit_calibrated

RESULTS_VERSION = 1
Stage = Callable[[str], Progress]  # what runs now → where to tell its progress


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
    boundary = freeze_boundary(source)  # an error now, not after an extraction
    table = load_table(dataset, source, max_failures, stage("features"))
    approaches = []
    for row in rows:
        stage(f"head {row.name}")
        approaches.append(_transfer(row, table, settings.seed))
    approaches.append(_fine_tuned(table, source, boundary, settings, stage))
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
    table: Table,
    source: FeatureSource,
    boundary: FeatureSource,
    settings: FineTuneSettings,
    stage: Stage,
) -> Approach:
    with measured() as cost:
        stage(f"head {PROBE.name}, to start fine-tuning from")
        probe = fit_head(PROBE, table, settings.seed)
        maps = load_features(
            table.paths, boundary, stage(f"activations of {boundary.spec.layers[0]}")
        ).X
        fitting = table.split.fitting
        kept, held = hold_out(table.y[fitting], table.groups[fitting], settings.seed)
        kept, held = fitting[kept], fitting[held]
        tuned = fine_tune(
            source,
            boundary,
            maps[kept],
            table.y[kept],
            (maps[held], table.y[held]),
            linear_layer(_refit(probe, table, kept, settings.seed)),
            settings,
            stage("fine-tuning, epochs"),
        )
        probabilities = tuned.predict_proba(maps[table.split.evaluation])
    block = last_block(find_backbone(source.spec.backbone))
    return Approach(
        name=f"fine-tuned from {block}",
        kind="finetune",
        chosen_by=tuned.history[tuned.epochs]["val_accuracy"],
        evaluation=evaluate(table.y[table.split.evaluation], probabilities, table.split.name),
        right=_right(probabilities, table),
        cost=cost,
        trainable_parameters=tuned.trainable_parameters,
        budget={
            "candidates": probe.choice.cv.candidates,
            "epochs_allowed": settings.epochs,
            "epochs_run": len(tuned.history) - 1,
            "epochs_kept": tuned.epochs,
            "training_images": len(kept),
            "held_out_images": len(held),
            "training_seconds": round(tuned.seconds, 3),
            "history": tuned.history,
        },
    )


def _refit(probe: FittedHead, table: Table, rows: NDArray[np.intp], seed: int) -> Any:
    """Fit the chosen head without the images held out to count epochs.

    A head that had seen them would look perfect on them at epoch 0, and no
    epoch of fine-tuning could look better.
    """
    return fit_calibrated(probe.choice, table.training(rows, seed)).estimator


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
