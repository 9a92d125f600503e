"""Two classifiers on the same images: which is better, and how many images it takes to tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 9_999
LEVEL = 0.05
POWER = 0.8


@dataclass(frozen=True)
class PairedTest:
    """Two classifiers on the same images.

    Parameters
    ----------
    only_first, only_second : int
        Images that only one of them labelled right.
    mcnemar_p : float
        Exact two-sided McNemar test of "both are right equally often".
    difference : float
        Accuracy of the second less the first.
    difference_ci95 : tuple of float
        Bootstrap interval of the difference.
    """

    only_first: int
    only_second: int
    mcnemar_p: float
    difference: float
    difference_ci95: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the contract's ``tests`` object."""
        return {**asdict(self), "difference_ci95": list(self.difference_ci95)}


def paired_test(first: NDArray[np.bool_], second: NDArray[np.bool_], seed: int = 0) -> PairedTest:
    """Compare which images two classifiers labelled right.

    McNemar 1947 in its exact form, a binomial test on the images where the two
    differ. The interval is a paired bootstrap over images, percentile form: an
    image changes the difference by -1, 0 or +1, so a resample of the images is
    one multinomial draw of how many do which.

    Parameters
    ----------
    first, second : ndarray of bool, shape (n,)
        Whether each labelled each image right.
    seed : int
        Seeds the resampling.

    Examples
    --------
    >>> first = np.array([True] * 80 + [False] * 20)
    >>> second = np.array([True] * 95 + [False] * 5)
    >>> test = paired_test(first, second)
    >>> round(test.difference, 2), test.mcnemar_p < 0.001
    (0.15, True)
    """
    from scipy.stats import binomtest

    n = len(first)
    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    differing = only_first + only_second
    p = float(binomtest(only_first, differing, 0.5).pvalue) if differing else 1.0
    difference = (only_second - only_first) / n
    if max(only_first, only_second) < n and differing:
        shares = np.array([only_first, only_second, n - differing]) / n
        drawn = np.random.default_rng(seed).multinomial(n, shares, size=RESAMPLES)
        low, high = np.quantile((drawn[:, 1] - drawn[:, 0]) / n, (0.025, 0.975))
        interval = (float(low), float(high))
    else:  # all images alike: resampling cannot; Clopper-Pearson bounds the share that would differ
        most = 1 - 0.025 ** (1 / n)
        interval = (max(-1.0, difference - most), min(1.0, difference + most))
    return PairedTest(only_first, only_second, p, difference, interval)


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


def images_needed(differing: float, difference: float) -> int:
    """Return how many images McNemar's test needs to tell a difference.

    Connor 1987 (https://doi.org/10.2307/2531961), equation 2: for a chance of
    80 % to find it at the 5 % level, two-sided.

    Parameters
    ----------
    differing : float
        Share of images that only one of the two labels right, 0 to 1.
    difference : float
        Between the accuracies, not 0, at most ``differing`` either way.

    Raises
    ------
    ValueError
        If the difference is 0, or larger than the share could make it.

    Examples
    --------
    >>> images_needed(0.05, 0.01)
    3923
    """
    from scipy.stats import norm

    if not 0 < abs(difference) <= differing <= 1:
        raise ValueError(f"no difference of {difference} comes from a share of {differing}")
    level, power = norm.isf(LEVEL / 2), norm.isf(1 - POWER)
    root = level * math.sqrt(differing) + power * math.sqrt(differing - difference**2)
    return math.ceil((root / difference) ** 2)


@dataclass(frozen=True, slots=True)
class Repeated:
    """A figure over several resplits.

    Parameters
    ----------
    mean : float
        Over the resplits.
    ci95 : tuple of float
        Of the mean.
    p : float
        Two-sided, of "the mean is 0": for differences.
    count : int
        Resplits.
    """

    mean: float
    ci95: tuple[float, float]
    p: float
    count: int

    def to_dict(self) -> dict[str, Any]:
        """Return the contract's ``repeats`` object of an approach."""
        return {"mean": self.mean, "ci95": list(self.ci95), "count": self.count}


def over_resplits(values: Sequence[float], evaluation_to_training: float) -> Repeated:
    """Return mean and interval of a figure over resplits of the same images.

    Resplits share training images, so their spread alone is too small: Nadeau &
    Bengio 2003 (https://doi.org/10.1023/A:1024068626366), equation 9, add the
    ratio of evaluation to training images to 1 / number of resplits.

    Parameters
    ----------
    values : sequence of float
        One a resplit, two or more.
    evaluation_to_training : float
        Evaluation images divided by training images.

    Examples
    --------
    >>> told = over_resplits([0.01, 0.02, 0.03], 0.25)
    >>> round(told.mean, 3), [round(bound, 3) for bound in told.ci95]
    (0.02, [-0.013, 0.053])
    """
    from scipy.stats import t

    count, mean = len(values), float(np.mean(values))
    variance = float(np.var(values, ddof=1))
    error = math.sqrt((1 / count + evaluation_to_training) * variance)
    half = float(t.isf(0.025, count - 1)) * error
    if error == 0:  # the same in every resplit
        return Repeated(mean, (mean, mean), float(mean == 0), count)
    p = 2 * float(t.sf(abs(mean) / error, count - 1))
    return Repeated(mean, (mean - half, mean + half), p, count)
