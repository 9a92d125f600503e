"""What more data would bring: a power law through the errors at several sizes."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

LEAST_SIZES = 4  # one more than the law has parameters
RESAMPLES = 1_000
EXPONENTS = (0.01, 3.0)


class Foretold(TypedDict):
    """The largest size as the smaller ones would have predicted it."""

    images_a_class: float
    predicted: float
    observed: float


class Extrapolation(TypedDict):
    """What doubling the largest size would bring: accuracy there, and the gain over the law here."""

    law: dict[str, float]  # `a`, `b` and `c` of the :class:`PowerLaw`
    images_a_class: float  # twice the largest
    accuracy: float
    gain: float
    gain_ci95: list[float]
    check: Foretold | None  # None where the sizes are too few


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """``error(n) = a + b * n ** -c``: a floor, and a part that data wear down.

    Cortes et al. 1993
    (https://papers.nips.cc/paper/1993/hash/1aa48fc4880bb0c9b8a3bf979d3b917e-Abstract.html);
    Hestness et al. 2017 (arXiv:1712.00409) found it across tasks. Not every learning
    curve is one (Viering and Loog 2022, arXiv:2103.10948), so nothing is said of more
    than twice the data.
    """

    a: float  # error that no amount of data takes away, 0 or more
    b: float  # size of the rest, 0 or more
    c: float  # how fast it falls, over 0

    def error(self, n: float) -> float:
        """Return the error at a size."""
        return self.a + self.b * math.pow(n, -self.c)


def fit_power_law(
    sizes: NDArray[np.float64], errors: NDArray[np.float64], spread: NDArray[np.float64]
) -> PowerLaw:
    """Fit by weighted least squares.

    For each exponent the best floor and factor are a non-negative linear
    problem, so one number is left to search for (variable projection, Golub and
    Pereyra 1973, https://doi.org/10.1137/0710036).

    Parameters
    ----------
    sizes : ndarray, shape (m,)
        Images a class, over 0.
    errors : ndarray, shape (m,)
        0 to 1.
    spread : ndarray, shape (m,)
        Standard error of each, over 0.

    Examples
    --------
    >>> sizes = np.array([2.0, 4, 8, 16, 32])
    >>> law = fit_power_law(sizes, 0.02 + 0.5 * sizes**-0.5, np.full(5, 0.01))
    >>> round(law.a, 3), round(law.b, 3), round(law.c, 3)
    (0.02, 0.5, 0.5)
    """
    from scipy.optimize import minimize_scalar, nnls

    def solve(c: float) -> tuple[NDArray[np.float64], float]:
        terms = np.stack([np.ones_like(sizes), sizes**-c], axis=1)
        return nnls(terms / spread[:, None], errors / spread)

    c = float(minimize_scalar(lambda c: solve(c)[1], bounds=EXPONENTS, method="bounded").x)
    a, b = solve(c)[0]
    return PowerLaw(float(a), float(b), c)


def extrapolate(
    sizes: NDArray[np.float64],
    hits: list[NDArray[np.bool_]],
    spread: NDArray[np.float64],
    seed: int,
) -> Extrapolation:
    """Say what doubling the largest size would bring.

    The interval is a percentile bootstrap over both subsets and evaluation
    images, each drawn anew on its own (the pigeonhole bootstrap, Owen 2007,
    arXiv:0711.1236); all sizes share one draw, as they share subsets and images.

    Parameters
    ----------
    sizes : ndarray, shape (m,)
        Images a class, ascending.
    hits : list of m arrays, each (subsets, n evaluation)
        Whether each fit labelled each evaluation image right.
    spread : ndarray, shape (m,)
        Standard error of each size's accuracy.
    seed : int
        Seeds the resampling.
    """
    largest = float(sizes[-1])
    errors = np.array([1 - fits.mean() for fits in hits])
    law = fit_power_law(sizes, errors, spread)
    random = np.random.default_rng(seed)
    subsets, images = max(len(fits) for fits in hits), hits[0].shape[1]
    gains = []
    for _ in range(RESAMPLES):
        drawn = random.integers(subsets, size=subsets)
        columns = random.integers(images, size=images)
        # The largest size is one subset, all images: it is in every draw.
        again = [1 - (fits[drawn] if len(fits) > 1 else fits)[:, columns].mean() for fits in hits]
        resampled = fit_power_law(sizes, np.array(again), spread)
        gains.append(resampled.error(largest) - resampled.error(2 * largest))
    low, high = np.quantile(gains, [0.025, 0.975])
    return {
        "law": asdict(law),
        "images_a_class": 2 * largest,
        "accuracy": 1 - law.error(2 * largest),
        "gain": law.error(largest) - law.error(2 * largest),
        "gain_ci95": [float(low), float(high)],
        "check": _check(sizes, errors, spread) if len(sizes) > LEAST_SIZES else None,
    }


def _check(
    sizes: NDArray[np.float64], errors: NDArray[np.float64], spread: NDArray[np.float64]
) -> Foretold:
    """Return the largest size as the smaller ones would have predicted it."""
    largest = float(sizes[-1])
    earlier = fit_power_law(sizes[:-1], errors[:-1], spread[:-1])
    return {
        "images_a_class": largest,
        "predicted": 1 - earlier.error(largest),
        "observed": float(1 - errors[-1]),
    }
