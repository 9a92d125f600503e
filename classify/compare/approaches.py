"""What can be compared: heads on cached features, and fine-tuned networks."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...cache.rows import take
from ...errors import unknown
from ...extract.source import FeatureSource
from ..data.table import Table
from ..finetune.finetune import STARTS, FineTunedResult, FineTuneSettings, fine_tune_dataset
from ..fit.fit_head import fit_head
from ..heads.table import Head
from ..network.depths import find_depths
from ..saved.head_model import trained_parameters
from ..saved.network_model import BATCH, TunedModel
from .cost import measured
from .documents import Kind
from .kept_outcomes import Outcome

# Of Adam, by what training starts from: chosen among on images held out of training. A fitted
# head is near its end, random weights are far from it.
LEARNING_RATES = {"head": [1e-5, 1e-4], "random": [1e-4, 1e-3], "scratch": [1e-3]}


@dataclass(frozen=True)
class Approach:
    """One way to get a classifier.

    Parameters
    ----------
    name : str
        For print.
    kind : str
        ``"transfer"`` or ``"finetune"``.
    settings : dict
        Everything that decides what it does: what its result is kept under.
    run : callable
        Chooses and trains on a table's training rows, labels its evaluation rows.
    typical : float
        Seconds for a thousand images on two cores: for the time left, where this machine has
        not run it yet.
    """

    name: str
    kind: Kind
    settings: dict[str, Any]
    run: Callable[[Table, FeatureSource], Outcome]
    typical: float = 60.0


def head_approach(head: Head, seed: int) -> Approach:
    """Return a head on cached features, tuned by cross-validation."""

    def run(table: Table, source: FeatureSource) -> Outcome:
        with measured() as cost:
            fitted = fit_head(head, table, seed)
        begin = time.perf_counter()
        probabilities = fitted.estimator.predict_proba(take(table.X, table.split.evaluation))
        prediction = time.perf_counter() - begin
        choice = fitted.choice
        return Outcome(
            name=head.name,
            kind="transfer",
            chosen_by=choice.cv.mean,
            probabilities=probabilities,
            seconds={
                "selection": choice.seconds,
                "training": fitted.seconds - choice.seconds,
                "prediction": prediction,
            },
            cost=cost,
            trainable_parameters=trained_parameters(fitted.estimator),
            model_bytes=source.weights.stat().st_size + len(pickle.dumps(fitted.estimator)),
            budget={
                "candidates": choice.cv.candidates,
                "folds": choice.cv.folds,
                "cv_accuracy": choice.cv.mean,
                "params": choice.params,
            },
            history=[],
            warnings=choice.warnings,
            candidates=choice.cv.candidates,
            epochs=0,
        )

    # A row of the table that changes is another approach.
    row = {"pipeline": repr(head.pipeline(seed)), "search": head.search, "path": head.path}
    settings = {"head": head.name, "seed": seed, **row}
    return Approach(head.name, "transfer", settings, run, typical=4.0 if head.fast else 30.0)


def finetune_candidates(
    unfreeze: Sequence[str],
    starts: Sequence[str],
    learning_rates: Sequence[float],
    **others: Any,
) -> list[list[FineTuneSettings]]:
    """Return the settings of each fine-tuned network: those it is chosen among.

    Parameters
    ----------
    unfreeze : sequence of str
        Depths, one a network; the last block when empty.
    starts : sequence of str
        What training starts from, see :class:`headstart.classify.finetune.finetune.FineTuneSettings`.
        From scratch, all layers move, whatever the depth.
    learning_rates : sequence of float
        To choose among; by what training starts from when empty.
    others : dict
        Further settings, the same for all.

    Examples
    --------
    >>> [[one.learning_rate for one in candidates] for candidates in
    ...  finetune_candidates([], ["head", "random"], [])]
    [[1e-05, 0.0001], [0.0001, 0.001]]
    """
    for start in starts:
        if start not in LEARNING_RATES:
            raise unknown("start", start, list(LEARNING_RATES))
    depths: list[tuple[str, ...]] = [(depth,) for depth in unfreeze] or [()]
    return [
        [
            FineTuneSettings(
                unfreeze=("all",) if start == "scratch" else depth,
                start=start,
                learning_rate=rate,
                **others,
            )
            for rate in learning_rates or LEARNING_RATES[start]
        ]
        for start in starts
        for depth in (depths[:1] if start == "scratch" else depths)
    ]


def finetune_approach(candidates: Sequence[FineTuneSettings], source: FeatureSource) -> Approach:
    """Return end-to-end training, its learning rate chosen on images held out of training.

    Parameters
    ----------
    candidates : sequence of FineTuneSettings
        That differ in the learning rate: the lowest held-out log loss wins.
    source : FeatureSource
        The network.

    Raises
    ------
    OptionError
        If this network cannot be fine-tuned so: now, not after an extraction.
    """
    first = candidates[0]
    if first.unfreeze or source.options.layers:
        # Only then can it be wrong. It loads TensorFlow, whose memory would be the heads' too.
        find_depths(source, first.unfreeze)
    depth = first.unfreeze[-1] if first.unfreeze else "the last block"
    name = f"fine-tuned from {depth}{STARTS[first.start]}"

    def run(table: Table, source: FeatureSource) -> Outcome:
        with measured() as cost:
            tried = [fine_tune_dataset(table, source, one) for one in candidates]
        best = min(tried, key=_held_out_loss)
        chosen = candidates[tried.index(best)]
        prediction = _prediction_seconds(best.model, best.boundary["dimension"], table)
        training = sum(_epoch_seconds(one) for one in tried)
        rest = sum(one.seconds for one in tried) - training - prediction * len(tried)
        diverged = [one.diverged for one in tried if one.diverged is not None]
        return Outcome(
            name=name,
            kind="finetune",
            chosen_by=best.chosen_by,
            probabilities=best.probabilities,
            seconds={
                "selection": sum(one.head.seconds for one in tried),
                "activations": max(0.0, rest),
                "training": training,
                "prediction": prediction,
            },
            cost=cost,
            trainable_parameters=best.trainable_parameters,
            model_bytes=_model_bytes(source, table),
            budget={
                "unfrozen": best.unfreeze[-1],
                "learning_rates": [one.learning_rate for one in candidates],
                "learning_rate": chosen.learning_rate,
                "epochs_allowed": chosen.epochs,
                "epochs_run": sum(len(one.history) - 1 for one in tried),
                "epochs_kept": best.epochs,
                "training_images": best.training_images,
                "held_out_images": best.held_out_images,
            },
            history=best.history,
            warnings=[f"{name}: training diverged, {line}" for line in diverged],
            candidates=len(candidates),
            epochs=chosen.epochs,
        )

    settings = {"candidates": [one.to_dict() for one in candidates], "epochs": first.epochs}
    return Approach(name, "finetune", settings, run)


def _held_out_loss(result: FineTunedResult) -> float:
    return min(float(epoch["val_loss"]) for epoch in result.history)


def _epoch_seconds(result: FineTunedResult) -> float:
    return float(sum(epoch.get("seconds", 0.0) for epoch in result.history))


def _prediction_seconds(model: TunedModel, dimension: int, table: Table) -> float:
    """Time the network on as many maps as there are evaluation images, whatever is in them."""
    batch = np.zeros((min(BATCH, len(table.split.evaluation)), dimension), dtype=np.float32)
    model.predict_proba(batch)  # the first call builds the graph
    begin = time.perf_counter()
    model.predict_proba(batch)
    return (time.perf_counter() - begin) / len(batch) * len(table.split.evaluation)


def _model_bytes(source: FeatureSource, table: Table) -> int:
    """Return the size of the network's weights and of the head's, float32."""
    head = 4 * (table.X.shape[1] + 1) * len(table.classes)
    return int(source.weights.stat().st_size + head)
