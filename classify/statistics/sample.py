"""Classified images as arrays from which metrics and their resamples are products of matrices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ECE_BINS = 15
RESAMPLES = 2_000
CHUNK = 16_000_000  # numbers of resampling weights held at once: 128 MB

Labels = NDArray[np.intp]  # (n,), indices into the class names
Probabilities = NDArray[np.floating[Any]]  # (n, k), rows sum to 1
Weights = NDArray[np.float64]  # (B, n): how often each of B resamples holds each image


@dataclass(frozen=True, slots=True)
class Sample:
    """What the metrics need of n images.

    A resample is a row of weights (how often it drew each image): weights
    (B, n) @ values (n, …) sums the values over each of B resamples.
    """

    right: NDArray[np.float64]  # (n,)
    true: NDArray[np.float64]  # (n, k), one-hot
    predicted: NDArray[np.float64]  # (n, k), one-hot
    log_loss: NDArray[np.float64]  # (n,)
    brier: NDArray[np.float64]  # (n,)
    gap: NDArray[np.float64]  # (n, bins): right less confidence, in the column of the image's bin

    @classmethod
    def of(cls, truth: Labels, probabilities: Probabilities) -> Sample:
        """Return the sample of these labels and what was predicted for them."""
        probabilities = np.asarray(probabilities, dtype=np.float64)
        n, k = probabilities.shape
        predicted = probabilities.argmax(axis=1)
        right = (predicted == truth).astype(np.float64)
        true = np.eye(k)[truth]
        confidence = probabilities.max(axis=1)
        gap = np.zeros((n, ECE_BINS))
        gap[np.arange(n), bin_numbers(confidence)] = right - confidence
        least = np.finfo(np.float64).eps  # scikit-learn's: a probability of 0 is no infinite loss
        return cls(
            right=right,
            true=true,
            predicted=np.eye(k)[predicted],
            log_loss=-np.log(np.clip(probabilities[np.arange(n), truth], least, 1 - least)),
            brier=((probabilities - true) ** 2).sum(axis=1),
            gap=gap,
        )


def bin_numbers(confidence: NDArray[np.floating[Any]], bins: int = ECE_BINS) -> NDArray[np.intp]:
    """Return the number of each confidence's bin (low, high]; the first holds 0 too."""
    numbers: NDArray[np.intp] = np.ceil(confidence * bins).astype(np.intp) - 1
    return numbers.clip(0, bins - 1)


def chunk_sizes(n: int) -> Iterator[int]:
    """Cut all resamples of n images into chunks that fit into memory; yield their sizes."""
    size = max(1, min(RESAMPLES, CHUNK // n))
    for begin in range(0, RESAMPLES, size):
        yield min(size, RESAMPLES - begin)


def resampling_weights(n: int, seed: int) -> Iterator[Weights]:
    """Draw how often each of n images is in each bootstrap sample, chunk by chunk."""
    rng = np.random.default_rng(seed)
    for count in chunk_sizes(n):
        draws = rng.integers(n, size=(count, n)) + np.arange(count)[:, None] * n
        counts = np.bincount(draws.ravel(), minlength=count * n)
        yield counts.reshape(count, n).astype(np.float64)
