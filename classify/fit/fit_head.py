"""One head on a dataset's features: chosen, fitted, calibrated, evaluated once."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...cache.rows import take
from ...extract.source import FeatureSource
from ..data.table import Table
from ..heads.abstention import Abstainer, make_abstainer
from ..heads.calibration import TemperatureScaled, class_scores
from ..heads.fitting import tune_and_fit
from ..heads.formulas import softmax
from ..heads.search import Choice
from ..heads.table import Head
from ..saved.head_model import Model
from ..saved.records import HeadRecord
from ..saved.trained_on import marks_of
from ..statistics.metrics import EvaluationDocument, evaluate


@dataclass(frozen=True)
class FittedHead:
    """One head, chosen, fitted and evaluated."""

    head: Head  # row of the table of heads
    choice: Choice  # what cross-validation chose
    estimator: TemperatureScaled  # fitted on all rows of the fitting part
    abstainer: Abstainer  # which images to leave to a person, from the same folds
    probabilities: NDArray[np.float64]  # (n evaluation, k): on the evaluation split
    evaluation: EvaluationDocument  # their metrics
    before: EvaluationDocument  # the same without calibration
    seconds: float  # choice and fit together, wall time


def fit_head(head: Head, table: Table, seed: int, class_weight: str | None = None) -> FittedHead:
    """Choose on the training split, fit, evaluate once."""
    begin = time.perf_counter()
    fitting = tune_and_fit(head, table, table.split.train, table.split.fitting, seed, class_weight)
    seconds = time.perf_counter() - begin
    estimator = fitting.estimator
    abstainer = make_abstainer(fitting.training, fitting.out_of_fold)
    rows = table.split.evaluation
    scores = class_scores(estimator.estimator_, take(table.X, rows))
    probabilities = softmax(scores / estimator.temperature_)
    evaluation = evaluate(table.y[rows], probabilities, table.split.name)
    before = evaluate(table.y[rows], softmax(scores), table.split.name)
    return FittedHead(
        head,
        fitting.choice,
        estimator,
        abstainer,
        probabilities,
        evaluation,
        before,
        seconds,
    )


def to_model(fitted: FittedHead, table: Table, source: FeatureSource, record: HeadRecord) -> Model:
    """Return the fitted head as a classifier that can be saved."""
    return Model(
        name=fitted.head.name,
        estimator=fitted.estimator,
        classes=table.classes,
        spec=source.spec,
        weights=source.recipe.named_weights,
        record=record,
        abstainer=fitted.abstainer,
        trained_on=marks_of(table.features.digests[row] for row in table.split.fitting),
    )
