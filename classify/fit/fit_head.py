"""Photographs to an evaluated head: features, split, choice, fit, one evaluation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from ...cache.rows import take
from ...errors import unknown
from ...extract.images.images import Dataset
from ...extract.source import FeatureSource
from ...progress import stage
from ..data.folds import choosing_rows
from ..data.table import Table, load_table
from ..heads.abstention import Abstainer, describe_abstention, make_abstainer
from ..heads.calibration import TemperatureScaled, class_scores
from ..heads.formulas import softmax
from ..heads.memory import TooLargeError
from ..heads.search import Choice, choose, choose_layers, fit_calibrated
from ..heads.table import Head, find_heads
from ..heads.training_rows import training_data
from ..saved.card import card_paths, save_with_card
from ..saved.head_model import Model, trained_parameters
from ..saved.trained_on import marks_of
from ..statistics.metrics import ECE_BINS, Evaluation, evaluate, reliability
from .account import give_account

RULES = ("best", "one-se")


@dataclass(frozen=True)
class HeadsRun:
    """What ``fit head`` gives.

    Parameters
    ----------
    records : list of dict
        The contract, one a head, cheapest first.
    best : str
        The head that the rule picks.
    within_one_se : list of str
        Heads within one standard error of the best mean, cheapest first.
    warnings : list of str
        What is worth telling.
    """

    records: list[dict[str, Any]]
    best: str
    within_one_se: list[str]
    warnings: list[str]


@dataclass(frozen=True)
class FittedHead:
    """One head, chosen, fitted and evaluated.

    Parameters
    ----------
    head : Head
        Row of the table of heads.
    choice : Choice
        What cross-validation chose.
    estimator : TemperatureScaled
        Fitted on all rows of the fitting part.
    out_of_fold : ndarray, shape (n fitting, k)
        Calibrated probabilities of the rows of the fitting part, each from a
        fit that had not seen it.
    abstainer : Abstainer
        Which images to leave to a person, from the same folds.
    probabilities : ndarray, shape (n evaluation, k)
        On the evaluation split.
    evaluation : Evaluation
        Their metrics.
    before : Evaluation
        The same without calibration.
    seconds : float
        Choice and fit together, wall time.
    """

    head: Head
    choice: Choice
    estimator: TemperatureScaled
    out_of_fold: NDArray[np.float64]
    abstainer: Abstainer
    probabilities: NDArray[np.float64]
    evaluation: Evaluation
    before: Evaluation
    seconds: float


def fit_head(head: Head, table: Table, seed: int, class_weight: str | None = None) -> FittedHead:
    """Choose on the training split, fit, evaluate once.

    Parameters
    ----------
    head : Head
        Row of the table of heads.
    table : Table
        From :func:`load_table`.
    seed : int
        Seeds folds and estimator.
    class_weight : str, optional
        ``"balanced"`` counts each class alike.
    """
    begin = time.perf_counter()
    train, fitting = table.split.train, table.split.fitting
    chosen_on = train[choosing_rows(table.y[train], table.groups[train], seed)]
    training, taps = training_data(table, chosen_on, seed), table.taps
    same = np.array_equal(chosen_on, fitting)
    whole = training if same else training_data(table, fitting, seed)
    if table.layers_open and taps is not None:
        taps = choose_layers(head, training, seed, taps)
    choice = choose(head, training, seed, taps, class_weight)
    calibrated = fit_calibrated(choice, whole)
    estimator = calibrated.estimator
    seconds = time.perf_counter() - begin
    abstainer = make_abstainer(whole, calibrated.out_of_fold)
    rows = table.split.evaluation
    scores = class_scores(estimator.estimator_, take(table.X, rows))
    probabilities = softmax(scores / estimator.temperature_)
    evaluation = evaluate(table.y[rows], probabilities, table.split.name)
    before = evaluate(table.y[rows], softmax(scores), table.split.name)
    return FittedHead(
        head,
        choice,
        estimator,
        calibrated.out_of_fold,
        abstainer,
        probabilities,
        evaluation,
        before,
        seconds,
    )


def fit_heads(
    dataset: Dataset,
    source: FeatureSource,
    names: Sequence[str],
    seed: int,
    out: Path | None = None,
    max_failures: str | None = None,
    class_weight: str | None = None,
    rule: str = "best",
) -> HeadsRun:
    """Run ``fit head``: one record a head; save the best where told.

    Parameters
    ----------
    dataset : Dataset
        With labels.
    source : FeatureSource
        What to extract.
    names : sequence of str
        Names in the table of heads, ``"auto"`` (the fast ones) or ``"all"``.
    seed : int
        Seeds folds and estimators.
    out : Path, optional
        File for the best classifier.
    max_failures : str, optional
        See :func:`headstart.extract.pipeline.check_failures`.
    class_weight : str, optional
        ``"balanced"`` counts each class alike; with ``auto`` and ``all``, heads that cannot
        are left out.
    rule : str
        ``"best"`` cross-validated accuracy, or ``"one-se"``: the cheapest head within one
        standard error of it.

    Raises
    ------
    OptionError
        If a name or the rule is unknown, or a named head cannot weigh classes.
    """
    heads = find_heads(names)  # a typing error must not cost an extraction
    if rule not in RULES:
        raise unknown("rule", rule, list(RULES))
    if class_weight is not None:
        if class_weight != "balanced":
            raise unknown("class weight", class_weight, ["balanced"])
        heads = [head for head in heads if head.weighs_classes or head.name in names]
        for head in heads:
            head.pipeline(seed, class_weight=class_weight)  # refused by name
    table = load_table(dataset, source, max_failures)
    fitted, left_out = [], []
    for head in heads:
        stage(f"fitting {head.name}")
        try:
            fitted.append(fit_head(head, table, seed, class_weight))
        except TooLargeError as error:
            if head.name in names or (head is heads[-1] and not fitted):
                raise
            left_out.append(f"{head.name} is left out: {error}")
    top = max(fitted, key=lambda one: one.choice.cv.mean)
    floor = top.choice.cv.mean - top.choice.cv.standard_error
    close = [one for one in fitted if one.choice.cv.mean >= floor]  # cheapest first
    best = top if rule == "best" else close[0]
    records = [
        head_record(one, table, dataset, seed, out if one is best else None) for one in fitted
    ]
    if out is not None:
        record = records[fitted.index(best)]
        stage("writing the model card")
        record["account"] = give_account(table, best.probabilities, seed)
        save_with_card(to_model(best, table, source, record), out)
    remarks = [line for one in fitted for line in one.choice.warnings]
    if out is not None and not best.head.saves:
        remarks.append(
            f"{out} holds trees, written by joblib: it loads only with --trust-joblib, since such "
            "a file can run code; do not pass it on, or train another head"
        )
    return HeadsRun(
        records,
        best.head.name,
        [one.head.name for one in close],
        [*table.warnings, *left_out, *remarks],
    )


def head_record(
    fitted: FittedHead, table: Table, dataset: Dataset, seed: int, path: Path | None
) -> dict[str, Any]:
    """Return the ``fit head`` contract for one head."""
    rows = table.split.evaluation
    usual = fitted.abstainer.judge(take(table.X, rows), fitted.probabilities)
    right = fitted.probabilities.argmax(axis=1) == table.y[rows]
    return {
        "model": fitted.head.name,
        "params": fitted.choice.params,
        "cv": {**fitted.choice.cv.to_dict(), "images": len(fitted.choice.training.y)},
        "evaluation": fitted.evaluation.to_dict(),
        "seconds": {
            "features": round(table.features.extraction.seconds, 3),
            "fit": round(fitted.seconds, 3),
        },
        "calibration": {
            "temperature": fitted.estimator.temperature_,
            "bins": ECE_BINS,
            "before": {"log_loss": fitted.before.log_loss, "ece": fitted.before.ece},
            "after": {"log_loss": fitted.evaluation.log_loss, "ece": fitted.evaluation.ece},
            "reliability": reliability(table.y[rows], fitted.probabilities),
        },
        "abstention": describe_abstention(fitted.abstainer, usual, right),
        "taps": _describe_taps(fitted.choice.pipeline, table.layers),
        "classes": table.classes,
        "trainable_parameters": trained_parameters(fitted.estimator),
        "data": str(dataset.root.absolute()),
        "sample": None if dataset.sampled is None else asdict(dataset.sampled),
        "path": None if path is None else str(path),
        "card": None if path is None else str(card_paths(path)[0]),
        "account": None,
        "seed": seed,
    }


def to_model(
    fitted: FittedHead, table: Table, source: FeatureSource, record: dict[str, Any]
) -> Model:
    """Return the fitted head as a classifier that can be saved."""
    return Model(
        name=fitted.head.name,
        estimator=fitted.estimator,
        classes=table.classes,
        spec=source.spec,
        weights=source.options.named_weights,
        record=record,
        abstainer=fitted.abstainer,
        trained_on=marks_of(table.features.digests[row] for row in table.split.fitting),
    )


def _describe_taps(pipeline: Pipeline, layers: list[str]) -> dict[str, Any]:
    """Say in words which layers a head sees and what it makes of the views."""
    taps = pipeline.named_steps.get("taps")
    if taps is None:
        return {"layers": layers, "views": "one view"}
    chosen = layers if taps.layers is None else [layers[at] for at in taps.layers]
    averaged = taps.views > 1 and taps.merge == "mean"
    return {"layers": chosen, "views": f"mean of {taps.views} views" if averaged else "one view"}
