"""Metrics with intervals, and paired tests."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ECE_BINS = 15
RESAMPLES = 9_999

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
    # A confidence of exactly 1 falls into the last bin.
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
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
    differ; the interval is a paired bootstrap over images (bias-corrected and
    accelerated, Efron 1987; the percentile form where that is undefined).

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
    from scipy.stats import binomtest, bootstrap

    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    differing = only_first + only_second
    change = second.astype(np.float64) - first.astype(np.float64)
    p = float(binomtest(only_first, differing, 0.5).pvalue) if differing else 1.0
    if np.ptp(change) > 0:
        sampled = bootstrap(
            (change,), np.mean, n_resamples=RESAMPLES, method="BCa", rng=np.random.default_rng(seed)
        ).confidence_interval
        interval = (float(sampled.low), float(sampled.high))
    else:  # no two images differ: resampling cannot; Clopper-Pearson bounds the share that would
        most = 1 - 0.025 ** (1 / len(change))
        interval = (max(-1.0, change[0] - most), min(1.0, change[0] + most))
    return PairedTest(only_first, only_second, p, float(change.mean()), interval)
