"""Metrics with intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .intervals import wilson

ECE_BINS = 15
RESAMPLES = 2_000
CHUNK = 16_000_000  # numbers of resampling weights held at once: 128 MB

Labels = NDArray[np.intp]  # (n,), indices into the class names
Probabilities = NDArray[np.floating[Any]]  # (n, k), rows sum to 1


@dataclass(frozen=True)
class Evaluation:
    """How a classifier did on images it had not seen.

    Parameters
    ----------
    split : str
        Which images.
    n : int
        How many.
    accuracy : float
        Share labelled right, 0 to 1.
    ci95 : tuple of float
        95 % interval of the accuracy, see :func:`wilson`.
    macro_f1 : float
        Mean over classes of F1, 0 to 1.
    log_loss : float
        Mean negative log probability of the true class, in nats.
    ece : float
        Expected calibration error, see :func:`expected_calibration_error`.
    """

    split: str
    n: int
    accuracy: float
    ci95: tuple[float, float]
    macro_f1: float
    log_loss: float
    ece: float

    def to_dict(self) -> dict[str, Any]:
        """Return the contract's ``evaluation`` object."""
        return {**asdict(self), "ci95": list(self.ci95)}


def evaluate(truth: Labels, probabilities: Probabilities, split: str) -> Evaluation:
    """Evaluate predicted probabilities once.

    Parameters
    ----------
    truth : ndarray of int, shape (n,)
        Index of each image's class.
    probabilities : ndarray, shape (n, k)
        Predicted for each class.
    split : str
        Name of the split, for the record.

    Examples
    --------
    >>> evaluate(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]), "test").accuracy
    1.0
    """
    from sklearn.metrics import f1_score, log_loss

    classes = np.arange(probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)
    hits = int((predicted == truth).sum())
    return Evaluation(
        split=split,
        n=len(truth),
        accuracy=hits / len(truth),
        ci95=wilson(hits, len(truth)),
        macro_f1=float(f1_score(truth, predicted, average="macro", zero_division=0.0)),
        log_loss=float(log_loss(truth, probabilities, labels=classes)),
        ece=expected_calibration_error(truth, probabilities),
    )


def expected_calibration_error(
    truth: Labels, probabilities: Probabilities, bins: int = ECE_BINS
) -> float:
    """Return the mean gap between confidence and accuracy, 0 to 1.

    Guo et al. 2017 (arXiv:1706.04599), equation 3: over equal-width bins of the
    highest probability, weighted by the images in each.

    See :func:`reliability` for the table behind it.

    Examples
    --------
    >>> truth, sure = np.array([0, 0, 0, 1]), np.tile([0.8, 0.2], (4, 1))
    >>> round(expected_calibration_error(truth, sure), 3)
    0.05
    """
    rows = reliability(truth, probabilities, bins)
    gaps = (abs(row["accuracy"] - row["confidence"]) * row["n"] for row in rows)
    return float(sum(gaps) / len(truth))


def reliability(
    truth: Labels, probabilities: Probabilities, bins: int = ECE_BINS
) -> list[dict[str, Any]]:
    """Return the reliability table: what was promised and what was kept, bin by bin.

    Returns
    -------
    list of dict
        For each bin (``low``, ``high``] of the highest probability that holds
        images: their number ``n``, mean ``confidence`` and ``accuracy``.

    Examples
    --------
    >>> reliability(np.array([0, 1]), np.array([[0.9, 0.1], [0.9, 0.1]]), bins=2)
    [{'low': 0.5, 'high': 1.0, 'n': 2, 'confidence': 0.9, 'accuracy': 0.5}]
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    index = _bin(confidence, bins)
    return [
        {
            "low": at / bins,
            "high": (at + 1) / bins,
            "n": int((index == at).sum()),
            "confidence": float(confidence[index == at].mean()),
            "accuracy": float(right[index == at].mean()),
        }
        for at in np.unique(index).tolist()
    ]


def _bin(confidence: NDArray[np.floating[Any]], bins: int) -> NDArray[np.intp]:
    """Return the number of each confidence's bin (low, high]; the first holds 0 too."""
    numbers: NDArray[np.intp] = np.ceil(confidence * bins).astype(np.intp) - 1
    return numbers.clip(0, bins - 1)


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric with its 95 % interval."""

    value: float
    ci95: tuple[float, float]


def figures(truth: Labels, probabilities: Probabilities, seed: int = 0) -> dict[str, Figure]:
    """Return every metric of the report with its interval.

    ``accuracy`` (Wilson's interval), ``macro_f1``, ``balanced_accuracy`` (mean
    recall over the classes present), ``log_loss`` (nats), ``brier`` (Brier 1950:
    squared error summed over classes, 0 to 2) and ``ece``. All but accuracy are
    bootstrapped over images: the middle 95 % of 2,000 resamples, moved by the
    difference between their mean and the metric itself (Efron & Tibshirani
    1993, chapter 10). That matters to the calibration error alone, which
    resampling inflates; for the others the difference is next to nothing.

    Parameters
    ----------
    truth : ndarray of int, shape (n,)
        Index of each image's class.
    probabilities : ndarray, shape (n, k)
        Predicted for each class.
    seed : int
        Seeds the resampling.

    Examples
    --------
    >>> truth, sure = np.array([0, 0, 0, 1]), np.tile([0.8, 0.2], (4, 1))
    >>> round(figures(truth, sure)["brier"].value, 3)
    0.38
    """
    n = len(truth)
    hits = int((probabilities.argmax(axis=1) == truth).sum())
    found = {"accuracy": Figure(hits / n, wilson(hits, n))}
    sample = _Sample.of(truth, np.asarray(probabilities, dtype=np.float64))
    rng = np.random.default_rng(seed)
    size = max(1, min(RESAMPLES, CHUNK // n))
    resampled: dict[str, list[NDArray[np.float64]]] = {name: [] for name in _METRICS}
    for begin in range(0, RESAMPLES, size):
        weights = _resampling_weights(rng, min(size, RESAMPLES - begin), n)
        for name, metric in _METRICS.items():
            resampled[name].append(metric(sample, weights))
    for name, metric in _METRICS.items():
        value = float(metric(sample, np.ones((1, n)))[0])
        draws = np.concatenate(resampled[name])
        if hits in (0, n) and name in _SHARES:  # all alike: resampling cannot tell, Wilson can
            found[name] = Figure(value, found["accuracy"].ci95)
            continue
        low, high = np.quantile(draws - (draws.mean() - value), (0.025, 0.975))
        most = _LARGEST.get(name, np.inf)
        found[name] = Figure(value, (max(0.0, float(low)), min(most, float(high))))
    return found


def _resampling_weights(rng: np.random.Generator, count: int, n: int) -> NDArray[np.float64]:
    """Draw how often each of n images is in each of ``count`` bootstrap samples."""
    draws = rng.integers(n, size=(count, n)) + np.arange(count)[:, None] * n
    return np.bincount(draws.ravel(), minlength=count * n).reshape(count, n).astype(np.float64)


@dataclass(frozen=True, slots=True)
class _Sample:
    """What the metrics need of n images, so that a resample is one product of matrices.

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
    def of(cls, truth: Labels, probabilities: NDArray[np.float64]) -> _Sample:
        n, k = probabilities.shape
        predicted = probabilities.argmax(axis=1)
        right = (predicted == truth).astype(np.float64)
        true = np.eye(k)[truth]
        confidence = probabilities.max(axis=1)
        gap = np.zeros((n, ECE_BINS))
        gap[np.arange(n), _bin(confidence, ECE_BINS)] = right - confidence
        least = np.finfo(np.float64).eps  # scikit-learn's: a probability of 0 is no infinite loss
        return cls(
            right=right,
            true=true,
            predicted=np.eye(k)[predicted],
            log_loss=-np.log(np.clip(probabilities[np.arange(n), truth], least, 1 - least)),
            brier=((probabilities - true) ** 2).sum(axis=1),
            gap=gap,
        )


Weights = NDArray[np.float64]  # (B, n): how often each of B resamples holds each image


def _macro_f1(sample: _Sample, weights: Weights) -> NDArray[np.float64]:
    hits = weights @ (sample.true * sample.right[:, None])
    seen = weights @ (sample.true + sample.predicted)  # twice F1's denominator
    return _mean_where(seen > 0, 2 * hits, seen)


def _balanced_accuracy(sample: _Sample, weights: Weights) -> NDArray[np.float64]:
    hits = weights @ (sample.true * sample.right[:, None])
    images = weights @ sample.true
    return _mean_where(images > 0, hits, images)


def _mean_where(
    present: NDArray[np.bool_], above: NDArray[np.float64], below: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean over the classes that a resample has of ``above / below``."""
    ratio = np.divide(above, below, out=np.zeros_like(above), where=present)
    means: NDArray[np.float64] = ratio.sum(axis=1) / present.sum(axis=1)
    return means


def _mean(of: Callable[[_Sample], NDArray[np.float64]]) -> Metric:
    return lambda sample, weights: weights @ of(sample) / weights.sum(axis=1)


def _ece(sample: _Sample, weights: Weights) -> NDArray[np.float64]:
    errors: NDArray[np.float64] = np.abs(weights @ sample.gap).sum(axis=1) / weights.sum(axis=1)
    return errors


Metric = Callable[[_Sample, Weights], NDArray[np.float64]]  # one value for each of B resamples
_METRICS: dict[str, Metric] = {
    "macro_f1": _macro_f1,
    "balanced_accuracy": _balanced_accuracy,
    "log_loss": _mean(lambda sample: sample.log_loss),
    "brier": _mean(lambda sample: sample.brier),
    "ece": _ece,
}
_SHARES = ("macro_f1", "balanced_accuracy")
_LARGEST = {"macro_f1": 1.0, "balanced_accuracy": 1.0, "brier": 2.0, "ece": 1.0}
