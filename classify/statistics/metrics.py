"""The table of metrics: adding one is one row, which every figure, page, card and schema reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from .annotations import Interval, Share
from .intervals import wilson
from .reliability import calibrated_ece
from .sample import Labels, Probabilities, Sample, Weights, resampling_weights

Values = NDArray[np.float64]  # (B,): one for each of B resamples


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of how good a classifier is."""

    title: str  # for people
    # from a sample and resampling weights (B, n) to the metric of each resample, (B,)
    values: Callable[[Sample, Weights], Values]
    better: Literal["higher", "lower"]
    largest: float = math.inf  # its upper bound; the lower is 0
    percent: bool = False  # printed in per cent, not as a decimal
    # "bootstrap" over images, or "wilson" for a share of them
    interval: Literal["wilson", "bootstrap"] = "bootstrap"
    # whether it is 1 where every image is right and 0 where none is, however sure of each
    like_accuracy: bool = False
    # whether the contract's short `evaluation` holds it, not the `figures` alone
    brief: bool = True
    # from confidences (n,) and a seed to the middle 95 % of what a calibrated classifier,
    # as sure of each image, would show: for a metric that chance keeps from 0
    if_calibrated: Callable[[Probabilities, int], tuple[float, float]] | None = None
    # the Hugging Face Hub's name for it, which a model card's metadata then has
    hub: str | None = None

    def text(self, value: float) -> str:
        """Return a value for people."""
        return f"{100 * value:.1f} %" if self.percent else f"{value:.3f}"

    def range(self, bounds: tuple[float, float] | list[float]) -> str:
        """Return an interval for people."""
        low, high = bounds
        if self.percent:
            return f"{100 * low:.1f} to {100 * high:.1f} %"
        return f"{low:.3f} to {high:.3f}"


def _mean(of: Callable[[Sample], NDArray[np.float64]]) -> Callable[[Sample, Weights], Values]:
    return lambda sample, weights: weights @ of(sample) / weights.sum(axis=1)


def _macro_f1(sample: Sample, weights: Weights) -> Values:
    hits = weights @ (sample.true * sample.right[:, None])
    seen = weights @ (sample.true + sample.predicted)  # twice F1's denominator
    return _mean_where(seen > 0, 2 * hits, seen)


def _balanced_accuracy(sample: Sample, weights: Weights) -> Values:
    hits = weights @ (sample.true * sample.right[:, None])
    images = weights @ sample.true
    return _mean_where(images > 0, hits, images)


def _mean_where(
    present: NDArray[np.bool_], above: NDArray[np.float64], below: NDArray[np.float64]
) -> Values:
    """Return the mean over the classes that a resample has of ``above / below``."""
    ratio = np.divide(above, below, out=np.zeros_like(above), where=present)
    means: Values = ratio.sum(axis=1) / present.sum(axis=1)
    return means


def _ece(sample: Sample, weights: Weights) -> Values:
    errors: Values = np.abs(weights @ sample.gap).sum(axis=1) / weights.sum(axis=1)
    return errors


METRICS: dict[str, Metric] = {  # key in JSON and CSV → the metric
    "accuracy": Metric(
        "accuracy",
        _mean(lambda sample: sample.right),
        better="higher",
        largest=1.0,
        percent=True,
        interval="wilson",
        like_accuracy=True,
        hub="accuracy",
    ),
    "macro_f1": Metric(
        "macro F1", _macro_f1, better="higher", largest=1.0, like_accuracy=True, hub="f1"
    ),
    "balanced_accuracy": Metric(
        "balanced accuracy",
        _balanced_accuracy,
        better="higher",
        largest=1.0,
        percent=True,
        like_accuracy=True,
        brief=False,
    ),
    "log_loss": Metric(
        "log loss, nats", _mean(lambda sample: sample.log_loss), better="lower", hub="log_loss"
    ),
    # Brier 1950: squared error summed over classes
    "brier": Metric(
        "Brier score, 0 to 2",
        _mean(lambda sample: sample.brier),
        better="lower",
        largest=2.0,
        brief=False,
    ),
    "ece": Metric(
        "calibration error (ECE)",
        _ece,
        better="lower",
        largest=1.0,
        if_calibrated=calibrated_ece,
        hub="ece",
    ),
}


class MetricValues(TypedDict):
    """The metrics that contracts name; every further one of :data:`METRICS` stands there, too."""

    accuracy: Share
    macro_f1: Share
    log_loss: float
    ece: Share


class EvaluationDocument(MetricValues):
    """The contract's ``evaluation`` object."""

    split: str
    n: int
    ci95: Interval


class FigureDocument(TypedDict):
    """A metric with its 95 % interval, in JSON."""

    value: float
    ci95: Interval
    if_calibrated: NotRequired[Interval]  # what a calibrated classifier would show


def metric_values(values: Mapping[str, float]) -> MetricValues:
    """Return values of metrics, the contracts' among them, as documents hold them."""
    return cast("MetricValues", dict(values))


def evaluate(truth: Labels, probabilities: Probabilities, split: str) -> EvaluationDocument:
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
    >>> evaluate(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]), "test")["accuracy"]
    1.0
    """
    sample, n = Sample.of(truth, probabilities), len(truth)
    brief = {key: value for key, value in _values(sample).items() if METRICS[key].brief}
    ci95 = list(wilson(int(sample.right.sum()), n))
    return {"split": split, "n": n, **metric_values(brief), "ci95": ci95}


def _values(sample: Sample) -> dict[str, float]:
    once = np.ones((1, len(sample.right)))
    return {key: float(metric.values(sample, once)[0]) for key, metric in METRICS.items()}


def figures(
    truth: Labels, probabilities: Probabilities, seed: int = 0
) -> dict[str, FigureDocument]:
    """Return every metric with its interval.

    Shares of images have Wilson's; the others are bootstrapped over images: the middle
    95 % of 2,000 resamples, moved by the difference between their mean and the metric
    itself (Efron & Tibshirani 1993, chapter 10). That matters to the calibration error
    alone, which resampling inflates; for the others the difference is next to nothing.

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
    >>> round(figures(truth, sure)["brier"]["value"], 3)
    0.38
    """
    sample, n = Sample.of(truth, probabilities), len(truth)
    hits = int(sample.right.sum())
    bootstrapped = {key: m for key, m in METRICS.items() if m.interval == "bootstrap"}
    draws: dict[str, list[Values]] = {key: [] for key in bootstrapped}
    for weights in resampling_weights(n, seed):
        for key, metric in bootstrapped.items():
            draws[key].append(metric.values(sample, weights))
    measured: dict[str, FigureDocument] = {}
    for key, value in _values(sample).items():
        metric = METRICS[key]
        # Where all images are alike, resampling cannot tell the uncertainty, Wilson can.
        if metric.interval == "wilson" or (metric.like_accuracy and hits in (0, n)):
            measured[key] = {"value": value, "ci95": list(wilson(hits, n))}
            continue
        resampled = np.concatenate(draws[key])
        low, high = np.quantile(resampled - (resampled.mean() - value), (0.025, 0.975))
        ci95 = [max(0.0, float(low)), min(metric.largest, float(high))]
        measured[key] = {"value": value, "ci95": ci95}
        if metric.if_calibrated is not None:
            chance = metric.if_calibrated(probabilities.max(axis=1), seed)
            measured[key]["if_calibrated"] = list(chance)
    return measured
