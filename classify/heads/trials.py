"""Trials of a head's parameters over the folds, and the walk along its strengths."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from .calibration import Scores, fit_temperature, log_loss
from .fits import Fits
from .linear.fits import LinearFits
from .training_rows import row_weights

COARSE = 8  # values of a path between two looks at first; halved until it is 1
PATIENCE = 2  # looks without a better score after which the rest of a coarse path is left out

Params = dict[str, Any]
Grid = dict[str, list[Any]]  # parameter to the values to choose among


class CrossValidated(TypedDict):
    """How the chosen candidate did on held-out folds of the training data."""

    metric: str  # `accuracy`, or `balanced_accuracy` where classes are weighted to count alike
    mean: float  # over the folds, 0 to 1
    std: float  # standard deviation from fold to fold (`ddof=1`)
    folds: int
    candidates: int  # how many were tried
    images: int  # that it was chosen on


def standard_error(std: float, folds: int) -> float:
    """Return that of a mean over folds which differ by ``std``."""
    return std / math.sqrt(folds)


@dataclass(frozen=True, slots=True)
class Trial:
    """Parameters of a head with what they brought over the folds."""

    params: Params  # of the pipeline
    # accuracy over the folds, and its standard deviation (`ddof=1`)
    mean: float
    std: float
    order: tuple[int, int]  # says which of two equals is the more regularised: the lesser
    # log loss out of fold at the best temperature, in nats, where it is known
    loss: float | None = None

    @property
    def rank(self) -> tuple[float, tuple[int, int]]:
        """Smaller is better: the log loss where it is known.

        Accuracy counts images one by one, so that many strengths tie and chance picks among
        them; on a small dataset it says nothing at all of the strongest, which the walk
        begins with.
        """
        return (-self.mean if self.loss is None else self.loss), self.order


Score = Callable[[list[Grid], int], list[Trial]]  # grids of one value, position on the path


def best_of(trials: Sequence[Trial]) -> Trial:
    """Return the trial of the least rank."""
    return min(trials, key=lambda trial: trial.rank)


def most_regularised(trials: Sequence[Trial], folds: int) -> Trial:
    """Return the most regularised candidate within one standard error of the best accuracy."""
    top = max(trials, key=lambda trial: trial.mean)
    floor = top.mean - standard_error(top.std, folds)
    close = [trial for trial in trials if trial.mean >= floor]
    return min(close, key=lambda trial: trial.order)


def try_parameters(
    pipeline: Pipeline, fits: Fits, grids: list[Grid], position: int = 0
) -> list[Trial]:
    """Cross-validate parameters.

    Parameters
    ----------
    pipeline : Pipeline
        Unfitted.
    fits : Fits
        Of its head, on the training rows.
    grids : list of dict
        A candidate each: parameters to lists of one value.
    position : int
        Where they stand on a path.
    """
    return [
        _try(pipeline, fits, {name: value for name, (value,) in grid.items()}, (position, number))
        for number, grid in enumerate(grids)
    ]


def _try(pipeline: Pipeline, fits: Fits, params: Params, order: tuple[int, int]) -> Trial:
    scores, unfinished = fits.out_of_fold(clone(pipeline).set_params(**params))
    if unfinished:
        warnings.warn(f"{unfinished} fits did not converge", ConvergenceWarning, stacklevel=2)
    y, folds = fits.training.y, fits.training.folds
    weights = row_weights(pipeline["head"], y)
    right = scores.argmax(axis=1) == y
    each = [np.average(right[held], weights=weights[held]) for _, held in folds]
    loss = _loss(scores, y, weights) if isinstance(fits, LinearFits) else None
    return Trial(params, float(np.mean(each)), float(np.std(each, ddof=1)), order, loss)


def _loss(scores: Scores, y: NDArray[np.intp], weights: NDArray[np.float64]) -> float:
    """Return the log loss at the best temperature; without one error all strengths tie.

    There it falls with the confidence for ever.
    """
    if (scores.argmax(axis=1) == y).all():
        return 0.0
    return log_loss(scores, y, fit_temperature(scores, y, weights), weights)


def ordered(grid: Grid) -> list[Grid]:
    """Return the grid's candidates in the table's order; scikit-learn would sort the names.

    Examples
    --------
    >>> ordered({"b": [1, 2], "a": [3]})
    [{'b': [1], 'a': [3]}, {'b': [2], 'a': [3]}]
    """
    return [
        {name: [value] for name, value in zip(grid, values, strict=True)}
        for values in product(*grid.values())
    ]


def walk(path: dict[str, list[float]], grid: Grid, score: Score) -> list[Trial]:
    """Score a path from coarse to fine: every eighth value, then around the best.

    The coarse walk begins at the most regularised end and stops when looser
    values have not helped twice: the loosest fits take longest and, on
    features that tell the classes apart, change nothing. Refinement keeps the
    rest of the grid at its best.

    Parameters
    ----------
    path : dict
        One parameter to its values, the most regularised first.
    grid : dict
        The other parameters.
    score : callable
        Scores candidates at a position of the path.
    """
    ((name, values),) = path.items()

    def look(position: int, rest: Grid) -> list[Trial]:
        return score(ordered({**rest, name: [values[position]]}), position)

    trials = _walk_coarsely(len(values), lambda position: look(position, grid))
    step = COARSE // 2
    while step:
        ranks: dict[int, float] = {}  # the least of each position looked at
        for trial in trials:
            position = trial.order[0]
            ranks[position] = min(trial.rank[0], ranks.get(position, math.inf))
        best = best_of(trials)
        centre = best.order[0]
        rest = {key: [best.params[key]] for key in grid}
        # The side towards the better neighbour first; the other only where that did not help.
        sides = sorted(
            (centre - step, centre + step),
            key=lambda side: ranks.get(2 * side - centre, math.inf),
        )
        for position in sides:
            if 0 <= position < len(values) and position not in ranks:
                looked = look(position, rest)
                trials += looked
                if looked[0].rank < best.rank:
                    break
        step //= 2
    return trials


def _walk_coarsely(count: int, look: Callable[[int], list[Trial]]) -> list[Trial]:
    """Score every eighth position until two more have not helped."""
    trials: list[Trial] = []
    least, since = math.inf, 0  # looks since the best
    for position in sorted({*range(0, count, COARSE), count - 1}):
        trials += look(position)
        rank = best_of(trials).rank[0]
        least, since = (rank, 0) if rank < least else (least, since + 1)
        if since == PATIENCE:
            break
    return trials
