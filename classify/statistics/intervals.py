"""Intervals of shares."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return the Wilson score interval of a share, at 95 %.

    Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953; it stays inside
    0 to 1 and holds its level for shares near 1, where the normal interval fails.

    Examples
    --------
    >>> [round(bound, 4) for bound in wilson(264, 272)]
    [0.943, 0.985]
    """
    from scipy.stats import binomtest

    interval = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def crossed_interval(hits: NDArray[np.bool_]) -> tuple[float, float]:
    """Return a 95 % interval of the accuracy over other subsets and other evaluation images.

    Subsets and images are crossed random effects (Owen 2007, arXiv:0711.1236, section 3),
    so the variance of the mean adds what images and what subsets contribute. Wilson's
    interval then takes the number of images that would have this variance, with
    Student's quantile for the few subsets (Korn and Graubard 1998, Survey Methodology
    24, 193, for surveys). One subset gives Wilson's interval itself.

    Parameters
    ----------
    hits : ndarray of bool, shape (subsets, n)
        Whether each fit labelled each image right.

    Examples
    --------
    >>> hits = np.ones((1, 272), dtype=bool)
    >>> hits[0, :8] = False
    >>> [round(bound, 4) for bound in crossed_interval(hits)]  # as wilson(264, 272)
    [0.943, 0.985]
    """
    from scipy.stats import norm, t

    p, n = float(hits.mean()), hits.shape[1]
    by_images, by_subsets = _variances(hits)
    variance = by_images + by_subsets
    z = float(norm.ppf(0.975))
    size = float(n)
    if variance > 0:
        size = p * (1 - p) / variance
        freedom = variance**2 / (by_images**2 / (n - 1) + by_subsets**2 / max(len(hits) - 1, 1))
        z *= float(t.ppf(0.975, freedom) / t.ppf(0.975, n - 1))
    middle = (p + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z / (1 + z**2 / size) * math.sqrt(p * (1 - p) / size + z**2 / (4 * size**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _variances(hits: NDArray[np.bool_]) -> tuple[float, float]:
    """Return what images and what subsets add to the variance of the mean accuracy."""
    subsets, n = hits.shape
    right = hits.astype(np.float64)
    by_image, by_subset = right.mean(axis=0), right.mean(axis=1)
    from_images = float(by_image.var()) / n
    if subsets == 1:
        return from_images, 0.0
    rest = right - by_image - by_subset[:, None] + right.mean()
    noise = float((rest**2).sum()) / ((subsets - 1) * (n - 1))
    between = n * float(by_subset.var(ddof=1))
    return from_images, max(0.0, between - noise) / (n * subsets)


def mean_error(hits: NDArray[np.bool_]) -> float:
    """Return the standard error of a size's accuracy; half an image where nothing varies."""
    by_images, by_subsets = _variances(hits)
    half_an_image: float = 0.5 / hits.shape[1]
    return max(math.sqrt(by_images + by_subsets), half_an_image)
