"""One head on a dataset's features: chosen, fitted, calibrated, evaluated once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cache.rows import take
from ...extract.source import FeatureSource
from ..data.table import Table
from ..heads.abstention import Abstainer, make_abstainer
from ..heads.calibration import Scores, TemperatureScaled, class_scores
from ..heads.fitting import tune_and_fit
from ..heads.formulas import softmax
from ..heads.search import Choice, Fitting
from ..heads.table import Head
from ..saved.head_model import Model
from ..saved.records import HeadRecord, MoreRowsDocument
from ..saved.trained_on import marks_of
from ..statistics.intervals import wilson
from ..statistics.metrics import EvaluationDocument, evaluate
from ..statistics.paired_tests import paired_test


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
    more_rows: MoreRowsDocument | None  # what all rows won over the sample chosen on, if one was
    seconds: float  # choice and fit together, wall time


def fit_head(head: Head, table: Table, seed: int, class_weight: str | None = None) -> FittedHead:
    """Choose on the training split, fit, evaluate once."""
    begin = time.perf_counter()
    fitting = tune_and_fit(head, table, table.split.train, table.split.fitting, seed, class_weight)
    seconds = time.perf_counter() - begin
    estimator = fitting.estimator
    abstainer = make_abstainer(fitting.training, fitting.out_of_fold)
    rows = table.split.evaluation
    X = take(table.X, rows)
    scores = class_scores(estimator.estimator_, X)
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
        _more_rows(fitting, X, table.y[rows], scores),
        seconds,
    )


def _more_rows(
    fitting: Fitting, X: Any, y: NDArray[np.intp], scores: Scores
) -> MoreRowsDocument | None:
    """Compare a fit on the sample of the rows with the fit on all, image by image."""
    few = fitting.of_sample
    if few is None:
        return None
    right = class_scores(few.fitted, X).argmax(axis=1) == y
    test = paired_test(right, scores.argmax(axis=1) == y)
    return {
        "images": few.images,
        "of": len(fitting.training.y),
        "accuracy": float(right.mean()),
        "ci95": [*wilson(int(right.sum()), len(y))],
        **test,
    }


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
