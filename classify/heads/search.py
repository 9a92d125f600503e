"""Choice by cross-validation, calibration, final fit: all on training data."""

from __future__ import annotations

import contextlib
import functools
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import (
    GridSearchCV,
)
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from ..data.columns import TapSelector
from ..data.folds import Folds
from .calibration import (
    Scores,
    TemperatureScaled,
    fit_temperature,
    log_loss,
    out_of_fold_scores,
)
from .formulas import softmax
from .linear.estimators import LinearHead
from .table import Head
from .training_rows import Training

METRIC = "accuracy"
COARSE = 8  # values of a path between two looks at first; halved until it is 1
PATIENCE = 2  # looks without a better score after which the rest of a coarse path is left out


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """How the chosen candidate did on held-out folds of the training data."""

    metric: str
    mean: float
    std: float
    folds: int
    candidates: int

    @property
    def standard_error(self) -> float:
        """Of the mean over the folds."""
        return self.std / math.sqrt(self.folds)

    def to_dict(self) -> dict[str, Any]:
        """Return the contract's ``cv`` object."""
        return asdict(self)


@dataclass(frozen=True)
class Choice:
    """What cross-validation chose.

    Parameters
    ----------
    pipeline : Pipeline
        Scaler and head with the chosen parameters, unfitted.
    params : dict
        The choice, for print and JSON.
    cv : CrossValidation
        Its score.
    seconds : float
        Wall time of choosing.
    warnings : list of str
        A choice at the edge of its range, fits that did not converge.
    training : Training
        What it was chosen on.
    scores : ndarray, shape (n, k), or None
        Of the rows held out, where choosing came by them.
    """

    pipeline: Any
    params: dict[str, Any]
    cv: CrossValidation
    seconds: float
    warnings: list[str]
    training: Training
    scores: Scores | None


@dataclass(frozen=True)
class Calibrated:
    """A fitted head with what it says of each training row when it has not seen it.

    Parameters
    ----------
    estimator : TemperatureScaled
        Fitted on all rows.
    out_of_fold : ndarray, shape (n, k)
        Calibrated probabilities, each from a fit without that row's fold.
    """

    estimator: TemperatureScaled
    out_of_fold: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Score:
    """One candidate over the folds; the order says which of two equals is the more regularised."""

    params: dict[str, Any]
    mean: float
    std: float
    order: tuple[int, int]
    scores: Scores | None = None  # out of fold, (n, k), where they were kept
    loss: float | None = None  # their log loss at the best temperature, in nats

    @property
    def rank(self) -> tuple[float, tuple[int, int]]:
        """Smaller is better: the log loss where it is known.

        Accuracy counts images one by one, so that many strengths tie and chance picks among
        them; on a small dataset it says nothing at all of the strongest, which the walk
        begins with.
        """
        return (-self.mean if self.loss is None else self.loss), self.order

    def summary(self, folds: Folds, scores: Sequence[_Score]) -> CrossValidation:
        """Return the figures of this one among ``scores``."""
        return CrossValidation(METRIC, self.mean, self.std, len(folds), len(scores))


def choose(
    head: Head,
    training: Training,
    seed: int,
    taps: TapSelector | None = None,
    class_weight: str | None = None,
) -> Choice:
    """Choose scaler and regularisation by cross-validation.

    Linear heads by the log loss of their calibrated scores out of fold, the others by mean
    accuracy over the folds. On quarters held out of the training photographs of 17 Flowers and
    10 Monkey Species, ``logreg`` chosen by the loss was right as often as chosen by accuracy or
    a little more (96.4 and 96.4 %; 98.3 and 98.1 %), and its strength moved less.

    A head's path, such as logreg's 45 values of C, is walked from coarse to fine. Ties go to
    the more regularised candidate, which stands first in the table.

    Parameters
    ----------
    head : Head
        Row of the table.
    training : Training
        Features, classes and folds; features on the disk are for linear heads alone.
    seed : int
        Seeds the estimator.
    taps : TapSelector, optional
        What the columns are where there are several layers or views.
    class_weight : str, optional
        ``"balanced"`` counts each class alike.
    """
    begin = time.perf_counter()
    unfitted = head.pipeline(seed, taps, class_weight)
    grid = head.candidates(min(len(train) for train, _ in training.folds))
    score = functools.partial(_score, unfitted, training)
    with warnings.catch_warnings(record=True) as caught, _threads():
        warnings.simplefilter("always", ConvergenceWarning)
        scores = _walk(head.path, grid, score) if head.path else score(_ordered(grid))
    best = min(scores, key=lambda one: one.rank)
    if head.one_se:
        best = _most_regularised(scores, len(training.folds))
    cv = best.summary(training.folds, scores)
    remarks = _remarks(head.name, {**grid, **head.path}, best.params, caught, cv)
    params = {name.split("__")[1]: value for name, value in best.params.items()}
    pipeline = unfitted.set_params(**best.params)
    return Choice(pipeline, params, cv, time.perf_counter() - begin, remarks, training, best.scores)


def _most_regularised(scores: Sequence[_Score], folds: int) -> _Score:
    """Return the most regularised candidate within one standard error of the best accuracy."""
    top = max(scores, key=lambda one: one.mean)
    floor = top.mean - top.std / math.sqrt(folds)
    return min((one for one in scores if one.mean >= floor), key=lambda one: one.order)


def _score(
    pipeline: Pipeline,
    training: Training,
    candidates: list[dict[str, list[Any]]],
    position: int = 0,
) -> list[_Score]:
    """Cross-validate candidates; ``position`` is where they stand on a path."""
    if isinstance(pipeline["head"], LinearHead):
        return [
            _exact_score(pipeline, training, candidate, (position, number))
            for number, candidate in enumerate(candidates)
        ]
    search = GridSearchCV(
        pipeline, candidates, scoring=METRIC, cv=training.folds, refit=False, n_jobs=-1
    )
    results = search.fit(training.in_memory, training.y).cv_results_
    rows = zip(
        results["params"], results["mean_test_score"], results["std_test_score"], strict=True
    )
    return [
        _Score(params, float(mean), float(std), (position, number))
        for number, (params, mean, std) in enumerate(rows)
    ]


def _exact_score(
    pipeline: Pipeline,
    training: Training,
    candidate: dict[str, list[Any]],
    order: tuple[int, int],
) -> _Score:
    params = {name: value for name, (value,) in candidate.items()}
    scores, unfinished = training.out_of_fold(clone(pipeline).set_params(**params))
    if unfinished:
        warnings.warn(f"{unfinished} fits did not converge", ConvergenceWarning, stacklevel=2)
    right = scores.argmax(axis=1) == training.y
    each = [right[held].mean() for _, held in training.folds]
    # Without one error the loss falls with the confidence for ever: all such strengths tie.
    faultless = bool(right.all())
    loss = 0.0 if faultless else log_loss(scores, training.y, fit_temperature(scores, training.y))
    return _Score(params, float(np.mean(each)), float(np.std(each)), order, scores, loss)


def _ordered(grid: dict[str, list[Any]]) -> list[dict[str, list[Any]]]:
    """Return the grid's candidates in the table's order; scikit-learn would sort the names."""
    return [
        {name: [value] for name, value in zip(grid, values, strict=True)}
        for values in product(*grid.values())
    ]


def _walk(
    path: dict[str, list[float]],
    grid: dict[str, list[Any]],
    score: Callable[[list[dict[str, list[Any]]], int], list[_Score]],
) -> list[_Score]:
    """Score a path from coarse to fine: every eighth value, then around the best.

    The coarse walk begins at the most regularised end and stops when looser
    values have not helped twice: the loosest fits take longest and, on
    features that tell the classes apart, change nothing. Refinement keeps the
    rest of the grid at its best.
    """
    ((name, values),) = path.items()

    def look(position: int, rest: dict[str, list[Any]]) -> list[_Score]:
        return score(_ordered({**rest, name: [values[position]]}), position)

    scores: list[_Score] = []
    since = 0  # looks since the best
    for position in sorted({*range(0, len(values), COARSE), len(values) - 1}):
        before = min((one.rank[0] for one in scores), default=math.inf)
        scores += look(position, grid)
        since = 0 if min(one.rank[0] for one in scores) < before else since + 1
        if since == PATIENCE:
            break
    step = COARSE // 2
    while step:
        found: dict[int, float] = {}
        for one in scores:
            position = values.index(one.params[name])
            found[position] = min(one.rank[0], found.get(position, math.inf))
        best = min(scores, key=lambda one: one.rank)
        at = values.index(best.params[name])
        rest = {key: [best.params[key]] for key in grid}
        sides = [at - step, at + step]
        # The side towards the better neighbour first; the other only where that did not help.
        sides.sort(key=lambda side: found.get(2 * side - at, math.inf))
        for position in sides:
            if 0 <= position < len(values) and position not in found:
                looked = look(position, rest)
                scores += looked
                if looked[0].rank < best.rank:
                    break
        step //= 2
    return scores


def choose_layers(head: Head, training: Training, seed: int, taps: TapSelector) -> TapSelector:
    """Choose whether to average the views, then how many of the last layers to see.

    By the head's own cross-validated accuracy: a linear head at every eighth of its
    strengths, another at the middle one. Heads that take minutes see what is best for
    ``logreg``.

    Parameters
    ----------
    head : Head
        Row of the table.
    training : Training
        Features of all layers and views, classes, folds.
    seed : int
        Seeds the estimator.
    taps : TapSelector
        What the columns are.
    """
    from .table import HEADS

    row = head if head.fast else HEADS["logreg"]
    grid = row.candidates(min(len(train) for train, _ in training.folds))
    strengths = {name: [values[len(values) // 2]] for name, values in grid.items()}
    strengths |= {name: values[::COARSE] for name, values in row.path.items()}
    pipeline = row.pipeline(seed, taps)

    def best(tried: dict[str, list[Any]]) -> dict[str, Any]:
        scores = _score(pipeline, training, _ordered({**tried, **strengths}))
        return min(scores, key=lambda one: one.rank).params

    count = len(taps.widths or ())
    with warnings.catch_warnings(), _threads():
        warnings.simplefilter("ignore", ConvergenceWarning)
        merges = ["mean"] if taps.views == 1 else ["first", "mean"]
        found = best({"taps__layers": [(count - 1,)], "taps__merge": merges})
        deeper = [tuple(range(first, count)) for first in range(count - 1, -1, -1)]
        found = best({"taps__layers": deeper, "taps__merge": [found["taps__merge"]]})
    chosen: TapSelector = clone(taps)
    chosen.set_params(layers=found["taps__layers"], merge=found["taps__merge"])
    return chosen


def fit_calibrated(choice: Choice, training: Training) -> Calibrated:
    """Fit the choice on all rows, its probabilities scaled by one temperature.

    The temperature is fitted on out-of-fold scores, so no image calibrates a
    head that has seen it.

    Parameters
    ----------
    choice : Choice
        What to fit.
    training : Training
        Features, classes and folds; perhaps more rows than it was chosen on.
    """
    pipeline = choice.pipeline
    scores = choice.scores if choice.training is training else None
    with warnings.catch_warnings(), _threads():
        warnings.simplefilter("ignore", ConvergenceWarning)  # told by choose()
        if isinstance(pipeline["head"], LinearHead):
            scores = training.out_of_fold(pipeline)[0] if scores is None else scores
            fitted = training.fit(pipeline)
        else:
            X, y = training.in_memory, training.y
            scores = out_of_fold_scores(pipeline, X, y, training.folds)
            fitted = clone(pipeline).fit(X, y)
    estimator = TemperatureScaled.around(fitted, scores, training.y)
    return Calibrated(estimator, softmax(scores / estimator.temperature_))


@contextlib.contextmanager
def _threads() -> Iterator[None]:
    """Run joblib's jobs as threads, each with single-threaded linear algebra.

    The solvers release the interpreter lock; processes would spend longer on
    importing scikit-learn than on the fits.
    """
    with threadpool_limits(1), joblib.parallel_config(backend="threading"):
        yield


def _remarks(
    head: str,
    candidates: dict[str, list[Any]],
    chosen: dict[str, Any],
    caught: list[warnings.WarningMessage],
    cv: CrossValidation,
) -> list[str]:
    remarks = []
    for name, values in candidates.items():
        if len(values) > 2 and chosen[name] in (values[0], values[-1]):
            remarks.append(
                f"{head}: the chosen {name.split('__')[1]} = {chosen[name]:g} lies at the "
                f"edge of the range {min(values):g} to {max(values):g}"
            )
    failed = sum(issubclass(w.category, ConvergenceWarning) for w in caught)
    if failed:
        total = cv.candidates * cv.folds
        remarks.append(f"{head}: {failed} of {total} fits stopped before they had converged")
    return remarks
