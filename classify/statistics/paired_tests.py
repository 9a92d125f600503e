"""Two classifiers on the same images: which is better, and how surely."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from .annotations import Count, Difference, Interval, Share

LEVEL = 0.05


class PairedTestDocument(TypedDict):
    """The figures of a paired test in JSON."""

    only_first: Count  # images that only one of the two labelled right
    only_second: Count
    mcnemar_p: Share  # exact, two-sided, of "both are right equally often"
    difference: Difference  # accuracy of the second less the first
    difference_ci95: Interval


def paired_test(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> PairedTestDocument:
    """Compare which images two classifiers labelled right.

    McNemar 1947 in its exact form: a binomial test on the images where the two differ.

    Parameters
    ----------
    first, second : ndarray of bool, shape (n,)
        Whether each labelled each image right.

    Examples
    --------
    >>> first = np.array([True] * 80 + [False] * 20)
    >>> second = np.array([True] * 95 + [False] * 5)
    >>> test = paired_test(first, second)
    >>> round(test["difference"], 2), test["mcnemar_p"] < 0.001
    (0.15, True)
    """
    n = len(first)
    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    return {
        "only_first": only_first,
        "only_second": only_second,
        "mcnemar_p": exact_mcnemar(only_first, only_second),
        "difference": (only_second - only_first) / n,
        "difference_ci95": list(difference_interval(only_first, only_second, n)),
    }


def exact_mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided p-value of "each is as often right alone as the other"."""
    from scipy.stats import binomtest

    differing = only_first + only_second
    return float(binomtest(only_first, differing, 0.5).pvalue) if differing else 1.0


def difference_interval(only_first: int, only_second: int, n: int) -> tuple[float, float]:
    """Return a 95 % interval of a paired difference that agrees with the exact test.

    Tango's score interval (1998,
    https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B), which
    Fagerland, Lydersen & Laake 2014 (https://doi.org/10.1002/sim.6148) recommend. It is
    the score test turned inside out, which tells a little more than the exact one: at 0
    images against 5 it leaves 0 out, with McNemar's exact p at 0.06. Where the exact test
    does not reject a difference of 0, the interval therefore reaches to 0.

    Parameters
    ----------
    only_first, only_second : int
        Images that only one of the two labelled right.
    n : int
        Images.

    Examples
    --------
    >>> [round(100 * bound, 1) for bound in difference_interval(3, 14, 272)]
    [1.2, 7.5]
    >>> difference_interval(0, 5, 272)[0]
    0.0
    """
    low = -_tango_upper(only_second, only_first, n)
    high = _tango_upper(only_first, only_second, n)
    if exact_mcnemar(only_first, only_second) >= LEVEL:
        return min(low, 0.0), max(high, 0.0)
    return low, high


def _tango_upper(only_first: int, only_second: int, n: int) -> float:
    """Return the largest difference (second less first) that the score test does not reject."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    z = float(norm.isf(LEVEL / 2))
    estimate = (only_second - only_first) / n

    def excess(difference: float) -> float:
        """Return by how much the score lies above its lower limit, times the standard error."""
        # The share of "only the first", most likely with this difference: Tango's q21.
        b = (2 * n + only_first - only_second) * difference - only_first - only_second
        c = -only_first * difference * (1 - difference)
        share = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
        variance = n * (2 * share + difference * (1 - difference))
        return n * (estimate - difference) + z * math.sqrt(max(0.0, variance))

    start = estimate + 1e-9  # at the estimate itself a score of 0 / 0 is possible
    return 1.0 if start >= 1 or excess(1.0) >= 0 else float(brentq(excess, start, 1.0))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for being looked at together.

    Holm 1979 (https://www.jstor.org/stable/4615733): the chance of one false
    alarm among all of them stays below the level, whatever their dependence.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in adjusted]
