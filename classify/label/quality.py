"""How good the classifier is by now, what more labels are likely to bring, and when to stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from ..statistics.intervals import wilson
from ..statistics.power_law import LEAST_SIZES, fit_power_law
from .learner import Learnt
from .order import CHECK

NEXT = 50  # labels that the forecast is for
HARDLY = 0.01  # a gain that is not worth fifty labels
LEAST_CHECKS = 20
DRAWS = 200  # of the bootstrap
SMALLEST = 16  # labels of the smallest size of the learning curve


class ShareDocument(TypedDict):
    """A share of photographs labelled right, with its 95 % interval."""

    n: int
    accuracy: float
    ci95: list[float]


class GainDocument(TypedDict):
    """What more labels are likely to bring, in accuracy, with its 95 % interval."""

    labels: int
    gain: float
    ci95: list[float]


class QualityDocument(TypedDict):
    """How good the head is: on all labelled photographs, on those drawn at random, and later."""

    labelled: ShareDocument
    checks: ShareDocument | None
    next: GainDocument | None
    advice: str


def judge(
    learnt: Learnt,
    reasons: Sequence[str],
    relearn: Callable[[NDArray[np.intp]], Learnt | None],
    seed: int,
) -> QualityDocument:
    """Say how good a head is by its out-of-fold labels.

    Most photographs are shown because they are hard, so that the share of all is cautious; that
    of those drawn at random is what the guesses on the others are worth.

    Parameters
    ----------
    learnt : Learnt
        The head.
    reasons : sequence of str, length m
        Why each labelled photograph was shown.
    relearn : callable
        Labelled rows to a head learnt from these alone, for the learning curve; None where they
        are too few.
    seed : int
        Of its draws.
    """
    checks = np.array([reason == CHECK for reason in reasons], dtype=bool)
    forecast = forecast_gain(learnt, relearn, seed)
    return {
        "labelled": _share(learnt.right),
        "checks": _share(learnt.right[checks]) if checks.sum() >= LEAST_CHECKS else None,
        "next": forecast,
        "advice": advise(forecast),
    }


def _share(right: NDArray[np.bool_]) -> ShareDocument:
    low, high = wilson(int(right.sum()), len(right))
    return {"n": len(right), "accuracy": float(right.mean()), "ci95": [low, high]}


def forecast_gain(
    learnt: Learnt, relearn: Callable[[NDArray[np.intp]], Learnt | None], seed: int
) -> GainDocument | None:
    """Fit the power law to halves of halves of the labels; None where they are too few.

    The interval draws each size's accuracy anew, as often as it has labels.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(learnt.rows)
    sizes = [len(order) // 2**halving for halving in range(LEAST_SIZES - 1, 0, -1)]
    if sizes[0] < SMALLEST:
        return None
    heads = [head for size in sizes if (head := relearn(np.sort(order[:size]))) is not None]
    if len(heads) < len(sizes):
        return None
    n = np.array([*sizes, len(order)], dtype=float)
    errors = np.array([1 - head.right.mean() for head in heads] + [1 - learnt.right.mean()])
    spread = np.sqrt(np.maximum(errors * (1 - errors) / n, (0.5 / n) ** 2))

    def gain(errors: NDArray[np.float64]) -> float:
        law = fit_power_law(n, errors, spread)
        return law.error(n[-1]) - law.error(n[-1] + NEXT)

    drawn = [gain(random.binomial(n.astype(int), errors) / n) for _ in range(DRAWS)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"labels": NEXT, "gain": gain(errors), "ci95": [float(low), float(high)]}


def advise(forecast: GainDocument | None) -> str:
    """Say in a sentence whether to go on.

    Examples
    --------
    >>> advise({"labels": 50, "gain": 0.002, "ci95": [0.0, 0.006]})
    'Stop when you like: 50 more labels would hardly bring a point.'
    """
    if forecast is None:
        return f"Go on: {SMALLEST * 2 ** (LEAST_SIZES - 1)} labels say what more would bring."
    low, high = (100 * bound for bound in forecast["ci95"])
    if forecast["ci95"][1] < HARDLY:
        return f"Stop when you like: {NEXT} more labels would hardly bring a point."
    words = f"{NEXT} more labels are likely to bring {100 * forecast['gain']:.1f} points"
    return f"Go on: {words} ({low:.1f} to {high:.1f})."
