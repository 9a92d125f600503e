"""Whether confidence can be trusted: what was promised and what was kept."""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from .sample import ECE_BINS, Labels, Probabilities, bin_numbers, chunk_sizes


class ReliabilityBin(TypedDict):
    """A bin (``low``, ``high``] of the highest probability, and the images in it."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def reliability(
    truth: Labels, probabilities: Probabilities, bins: int = ECE_BINS
) -> list[ReliabilityBin]:
    """Return the reliability table, bin by bin, without those that hold no image.

    Examples
    --------
    >>> reliability(np.array([0, 1]), np.array([[0.9, 0.1], [0.9, 0.1]]), bins=2)
    [{'low': 0.5, 'high': 1.0, 'n': 2, 'confidence': 0.9, 'accuracy': 0.5}]
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    numbers = bin_numbers(confidence, bins)
    return [
        {
            "low": number / bins,
            "high": (number + 1) / bins,
            "n": int((numbers == number).sum()),
            "confidence": float(confidence[numbers == number].mean()),
            "accuracy": float(right[numbers == number].mean()),
        }
        for number in np.unique(numbers).tolist()
    ]


def calibrated_ece(
    confidence: NDArray[np.floating[Any]], seed: int = 0, bins: int = ECE_BINS
) -> tuple[float, float]:
    """Return the calibration errors that a calibrated classifier would show, the middle 95 %.

    Few images in a bin differ from their confidence by chance alone, so a calibrated
    classifier's error is not 0, and an error within these bounds says nothing against it
    (consistency resampling, Bröcker & Smith 2007, https://doi.org/10.1175/WAF993.1).

    Parameters
    ----------
    confidence : ndarray, shape (n,)
        Highest probability of each image; images are right as often as it says.
    seed : int
        Seeds the draws.
    bins : int
        Of equal width.

    Examples
    --------
    >>> low, high = calibrated_ece(np.full(100, 0.9))
    >>> 0 <= low < 0.01, 0.04 < high < 0.08
    (True, True)
    """
    n = len(confidence)
    rng = np.random.default_rng(seed)
    member = np.eye(bins)[bin_numbers(confidence, bins)]  # (n, bins)
    errors = [
        np.abs(((rng.random((size, n)) < confidence) - confidence) @ member).sum(axis=1) / n
        for size in chunk_sizes(n)
    ]
    low, high = np.quantile(np.concatenate(errors), (0.025, 0.975))
    return float(low), float(high)
