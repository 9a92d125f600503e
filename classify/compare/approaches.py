"""What can be compared: heads on cached features, and fine-tuned networks."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...cache.rows import take
from ...extract.source import FeatureSource
from ..data.table import Table
from ..finetune.budget import MANY
from ..finetune.eligible import check_depths
from ..finetune.finetune import fine_tune_dataset
from ..finetune.settings import FineTuneSettings
from ..fit.fit_head import fit_head
from ..heads.table import Head
from ..saved.head_model import trained_parameters
from ..saved.network_model import BATCH, TunedModel
from .cost import measured
from .documents import Kind
from .kept_outcomes import Outcome


@dataclass(frozen=True)
class Approach:
    """One way to get a classifier."""

    name: str  # for print
    kind: Kind  # "transfer" or "finetune"
    settings: dict[str, Any]  # everything that decides what it does: what its result is kept under
    # chooses and trains on a table's training rows, labels its evaluation rows
    run: Callable[[Table, FeatureSource], Outcome]
    # seconds for a thousand images on two cores: for the
    # time left, where this machine has not run it yet
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
            chosen_by=choice.cv["mean"],
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
                "candidates": choice.cv["candidates"],
                "folds": choice.cv["folds"],
                "cv_accuracy": choice.cv["mean"],
                "params": choice.params,
            },
            history=[],
            warnings=choice.warnings,
            candidates=choice.cv["candidates"],
            epochs=0,
        )

    # A row of the table that changes is another approach.
    row = {"pipeline": repr(head.pipeline(seed)), "search": head.search, "path": head.path}
    settings = {"head": head.name, "seed": seed, **row}
    return Approach(head.name, "transfer", settings, run, typical=head.cost)


def finetune_approach(settings: FineTuneSettings, source: FeatureSource) -> Approach:
    """Return end-to-end training, everything about it chosen on images held out of training.

    Raises
    ------
    OptionError
        If this network cannot be fine-tuned so: now, not after an extraction.
    """
    if settings.unfreeze or source.recipe.layers:
        # Only then can it be wrong. It loads TensorFlow, whose memory would be the heads' too.
        check_depths(source, settings)
    name = "fine-tuned"

    def run(table: Table, source: FeatureSource) -> Outcome:
        with measured() as cost:
            result = fine_tune_dataset(table, source, settings)
        prediction = _prediction_seconds(result.model, result.boundary["dimension"], table)
        diverged = [] if result.diverged is None else [result.diverged]
        return Outcome(
            name=name,
            kind="finetune",
            chosen_by=result.best.judged.accuracy,
            probabilities=result.probabilities,
            seconds={
                "selection": result.head.seconds + result.seconds["search"],
                "training": result.seconds["training"],
                "prediction": prediction,
            },
            cost=cost,
            trainable_parameters=result.trainable_parameters,
            model_bytes=_model_bytes(source, table),
            budget={**result.search.describe(settings)},
            history=result.best.history,
            warnings=[f"{name}: training diverged, {line}" for line in diverged],
            candidates=result.search.candidates,
            epochs=result.search.epochs,
        )

    decided = {"candidates": [settings.to_dict()]}
    return Approach(
        name, "finetune", decided, run, typical=60_000 * settings.level().minutes / MANY
    )


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
