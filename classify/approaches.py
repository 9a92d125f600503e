"""What can be compared: heads on cached features, and fine-tuned networks."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cache.rows import take
from ..extract.backbones import find_backbone
from ..extract.features import FeatureSource, load_features
from ..extract.pipeline import Progress
from .finetune import FineTuneSettings, fine_tune, freeze_boundary, hold_out, last_block
from .fit import FittedHead, Table, fit_head
from .heads import PROBE, Head
from .model import linear_layer, trained_parameters
from .resources import measured
from .results import Outcome
from .select import fit_calibrated

Stage = Callable[[str], Progress]  # what runs now → where to tell its progress


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
    """

    name: str
    kind: str
    settings: dict[str, Any]
    run: Callable[[Table, FeatureSource, Stage], Outcome]


def head_approach(head: Head, seed: int) -> Approach:
    """Return a head on cached features, tuned by cross-validation."""

    def run(table: Table, source: FeatureSource, stage: Stage) -> Outcome:
        del stage  # heads have no epochs to tell
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
        )

    # A row of the table that changes is another approach.
    told = {"pipeline": repr(head.pipeline(seed)), "search": head.search, "path": head.path}
    return Approach(head.name, "transfer", {"head": head.name, "seed": seed, **told}, run)


def finetune_approach(settings: FineTuneSettings, source: FeatureSource) -> Approach:
    """Return end-to-end training from the fitted softmax layer (LP-FT).

    Raises
    ------
    OptionError
        If this network cannot be fine-tuned: now, not after an extraction.
    """
    boundary = freeze_boundary(source)
    name = f"fine-tuned from {last_block(find_backbone(source.spec.backbone))}"

    def run(table: Table, source: FeatureSource, stage: Stage) -> Outcome:
        seconds = {}
        with measured() as cost:
            begin = time.perf_counter()
            probe = fit_head(PROBE, table, settings.seed)
            seconds["selection"] = time.perf_counter() - begin
            features = load_features(
                table.paths, boundary, stage(f"activations of {boundary.spec.layers[0]}")
            )
            seconds["activations"] = features.extraction.seconds
            fitting = table.split.fitting
            kept, held = hold_out(table.y[fitting], table.groups[fitting], settings.seed)
            kept, held = fitting[kept], fitting[held]
            begin = time.perf_counter()
            tuned = fine_tune(
                source,
                boundary,
                features.X[kept],
                table.y[kept],
                (features.X[held], table.y[held]),
                linear_layer(_refit(probe, table, kept, settings.seed)),
                settings,
                stage(f"{name}, epochs"),
            )
            seconds["training"] = time.perf_counter() - begin
            begin = time.perf_counter()
            probabilities = tuned.predict_proba(features.X[table.split.evaluation])
            seconds["prediction"] = time.perf_counter() - begin
        head = 4 * (table.X.shape[1] + 1) * len(table.classes)
        return Outcome(
            name=name,
            kind="finetune",
            chosen_by=tuned.history[tuned.epochs]["val_accuracy"],
            probabilities=probabilities,
            seconds=seconds,
            cost=cost,
            trainable_parameters=tuned.trainable_parameters,
            model_bytes=source.weights.stat().st_size + head,
            budget={
                "candidates": probe.choice.cv.candidates,
                "epochs_allowed": settings.epochs,
                "epochs_run": len(tuned.history) - 1,
                "epochs_kept": tuned.epochs,
                "training_images": len(kept),
                "held_out_images": len(held),
            },
            history=tuned.history,
            warnings=[],
        )

    return Approach(name, "finetune", settings.to_dict(), run)


def _refit(probe: FittedHead, table: Table, rows: NDArray[np.intp], seed: int) -> Any:
    """Fit the chosen head without the images held out to count epochs.

    A head that had seen them would look perfect on them at epoch 0, and no
    epoch of fine-tuning could look better.
    """
    return fit_calibrated(probe.choice, table.training(rows, seed)).estimator
