"""Choice by cross-validation, calibration, final fit: all on training data."""

from __future__ import annotations

import contextlib
import functools
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from ..data.columns import TapSelector
from .calibration import TemperatureScaled
from .fits import Fits, one_thread_each, open_fits
from .formulas import softmax
from .table import HEADS, Head
from .training_rows import Training, row_weights
from .trials import (
    COARSE,
    CrossValidated,
    Grid,
    Trial,
    best_of,
    most_regularised,
    ordered,
    try_parameters,
    walk,
)

WEIGHTED = (
    "classes are weighted to count alike: probabilities are those of a world where each class is "
    "equally frequent, so log loss and ECE on images of unequal classes do not judge them"
)


@dataclass(frozen=True)
class Choice:
    """What cross-validation chose."""

    pipeline: Any  # scaler and head with the chosen parameters, unfitted
    params: dict[str, Any]  # the choice, for print and JSON
    cv: CrossValidated  # its score
    seconds: float  # wall time of choosing
    warnings: list[str]  # a choice at the edge of its range, fits that did not converge


@dataclass(frozen=True)
class OfSample:
    """A choice, fitted on no more than the sample of very many rows that it was made on."""

    fitted: Any  # pipeline, not calibrated
    images: int  # in the sample


@dataclass(frozen=True)
class Fitting:
    """What was chosen, fitted to all rows, with what it says of each when it has not seen it."""

    choice: Choice
    estimator: TemperatureScaled  # fitted on all rows
    out_of_fold: NDArray[np.float64]  # (n, k): calibrated, each from a fit without the row's fold
    training: Training  # the rows, with their folds
    # the choice fitted on the rows that it was made on, where those are a sample
    of_sample: OfSample | None = None


def tune(
    head: Head,
    fits: Fits,
    seed: int,
    taps: TapSelector | None = None,
    class_weight: str | None = None,
) -> Choice:
    """Choose scaler and regularisation by cross-validation.

    Linear heads by the log loss of their calibrated scores out of fold, the others by mean
    accuracy over the folds; rows count as the head's loss counts them. On quarters held out of
    the training photographs of 17 Flowers and 10 Monkey Species, ``logreg`` chosen by the loss
    was right as often as chosen by accuracy or a little more (96.4 and 96.4 %; 98.3 and
    98.1 %), and its strength moved less.

    A head's path, such as logreg's 45 values of C, is walked from coarse to fine. Ties go to
    the more regularised candidate, which stands first in the table.

    Parameters
    ----------
    head : Head
        Row of the table.
    fits : Fits
        From :func:`headstart.classify.heads.fits.open_fits`.
    seed : int
        Seeds the estimator.
    taps : TapSelector, optional
        What the columns are where there are several layers or views.
    class_weight : str, optional
        ``"balanced"`` counts each class alike.
    """
    begin = time.perf_counter()
    training = fits.training
    unfitted = head.pipeline(seed, taps, class_weight)
    grid = head.candidates(min(len(train) for train, _ in training.folds))
    score = functools.partial(try_parameters, unfitted, fits)
    with warnings.catch_warnings(record=True) as caught, one_thread_each():
        warnings.simplefilter("always", ConvergenceWarning)
        tried = walk(head.path, grid, score) if head.path else score(ordered(grid))
    count = len(training.folds)
    best = most_regularised(tried, count) if head.one_se else best_of(tried)
    metric = "accuracy" if class_weight is None else "balanced_accuracy"
    cv: CrossValidated = {
        "metric": metric,
        "mean": best.mean,
        "std": best.std,
        "folds": count,
        "candidates": len(tried),
        "images": len(training.y),
    }
    remarks = _remarks(head.name, {**grid, **head.path}, best, caught, cv)
    return Choice(
        pipeline=unfitted.set_params(**best.params),
        params={name.split("__")[1]: value for name, value in best.params.items()},
        cv=cv,
        seconds=time.perf_counter() - begin,
        warnings=remarks if class_weight is None else [*remarks, f"{head.name}: {WEIGHTED}"],
    )


def tune_layers(head: Head, fits: Fits, seed: int, taps: TapSelector) -> TapSelector:
    """Choose whether to average the views, then how many of the last layers to see.

    By the head's own cross-validated figure: a linear head at every eighth of its
    strengths, another at the middle one. Heads that take minutes see what is best for
    ``logreg``.
    """
    row = head if head.fast else HEADS["logreg"]
    row_fits = fits if row is head else open_fits(row, fits.training)
    grid = row.candidates(min(len(train) for train, _ in fits.training.folds))
    strengths: Grid = {name: [values[len(values) // 2]] for name, values in grid.items()}
    strengths |= {name: values[::COARSE] for name, values in row.path.items()}
    pipeline = row.pipeline(seed, taps)

    def best(columns: Grid) -> dict[str, Any]:
        return best_of(try_parameters(pipeline, row_fits, ordered({**columns, **strengths}))).params

    count = len(taps.widths or ())
    with _quietly():
        merges = ["mean"] if taps.views == 1 else ["first", "mean"]
        merge = best({"taps__layers": [(count - 1,)], "taps__merge": merges})["taps__merge"]
        deeper = [tuple(range(first, count)) for first in range(count - 1, -1, -1)]
        layers = best({"taps__layers": deeper, "taps__merge": [merge]})["taps__layers"]
    chosen: TapSelector = clone(taps)
    chosen.set_params(layers=layers, merge=merge)
    return chosen


def fit_calibrated(choice: Choice, fits: Fits) -> Fitting:
    """Fit the choice on all rows, its probabilities scaled by one temperature.

    The temperature is fitted on out-of-fold scores, so no image calibrates a
    head that has seen it.
    """
    y = fits.training.y
    with _quietly():
        scores, _ = fits.out_of_fold(choice.pipeline)
        fitted = fits.fit(choice.pipeline)
    weights = row_weights(choice.pipeline["head"], y)
    estimator = TemperatureScaled.around(fitted, scores, y, weights)
    return Fitting(choice, estimator, softmax(scores / estimator.temperature_), fits.training)


def fit_chosen(choice: Choice, fits: Fits) -> Any:
    """Return the choice fitted on all rows, not calibrated."""
    with _quietly():
        return fits.fit(choice.pipeline)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Leave out of a fit's warnings what :func:`tune` tells."""
    with warnings.catch_warnings(), one_thread_each():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _remarks(
    head: str,
    space: Grid,
    chosen: Trial,
    caught: Sequence[warnings.WarningMessage],
    cv: CrossValidated,
) -> list[str]:
    remarks = []
    for name, values in space.items():
        if len(values) > 2 and chosen.params[name] in (values[0], values[-1]):
            remarks.append(
                f"{head}: the chosen {name.split('__')[1]} = {chosen.params[name]:g} lies at the "
                f"edge of the range {min(values):g} to {max(values):g}"
            )
    failed = sum(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    if failed:
        total = cv["candidates"] * cv["folds"]
        remarks.append(f"{head}: {failed} of {total} fits stopped before they had converged")
    return remarks
