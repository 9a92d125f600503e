"""Accuracy against images a class: nested subsets of the training images, one evaluation split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from ...cache.rows import take
from ...extract.images.images import Dataset
from ...extract.source import FeatureSource
from ...progress import stage
from ..data.split import Rows
from ..data.table import Table, load_table
from ..heads.fitting import tune_and_fit
from ..heads.table import Head, find_head
from ..statistics.intervals import crossed_interval, mean_error
from ..statistics.power_law import LEAST_SIZES, Extrapolation, extrapolate
from .subsets import nested_subsets, subset_targets


class PointDocument(TypedDict):
    """One size; ``accuracies`` are those of the subsets."""

    images_a_class: float
    images: int
    accuracy: float
    ci95: list[float]
    seeds: int
    accuracies: list[float]


class EvaluatedOn(TypedDict):
    """The evaluation split."""

    split: str
    n: int


class LearningCurveDocument(TypedDict):
    """The ``fit learning-curve`` contract; no extrapolation where the sizes are too few."""

    version: int
    model: str
    points: list[PointDocument]
    evaluation: EvaluatedOn
    extrapolation: Extrapolation | None
    conclusion: str
    classes: list[str]
    seed: int
    warnings: list[str]


@dataclass(frozen=True)
class Point:
    """One size of the curve."""

    images_a_class: float  # mean over the classes
    images: int  # training images, the mean over the subsets
    # (subsets, n evaluation): whether the fit on each subset labelled each evaluation image right
    hits: NDArray[np.bool_]

    @property
    def accuracy(self) -> float:
        """Mean over subsets and images, 0 to 1."""
        return float(self.hits.mean())

    def to_dict(self) -> PointDocument:
        """Return the contract's entry of ``points``."""
        return {
            "images_a_class": self.images_a_class,
            "images": self.images,
            "accuracy": self.accuracy,
            "ci95": list(crossed_interval(self.hits)),
            "seeds": len(self.hits),
            "accuracies": self.hits.mean(axis=1).tolist(),
        }


def learning_curve(
    dataset: Dataset,
    source: FeatureSource,
    name: str,
    seeds: int,
    seed: int,
    max_failures: str | None = None,
) -> LearningCurveDocument:
    """Return the ``fit learning-curve`` contract.

    Each subset chooses its regularisation by cross-validation on itself alone;
    all are evaluated on the same split.

    Parameters
    ----------
    dataset : Dataset
        With labels.
    source : FeatureSource
        What to extract.
    name : str
        Name in the table of heads.
    seeds : int
        Subsets drawn of each size; all images are one subset.
    seed : int
        The first of the seeds.
    max_failures : str, optional
        See :func:`headstart.extract.failures.check_failures`.

    Raises
    ------
    OptionError
        If the head is unknown.
    """
    head = find_head(name)  # a typing error must not cost an extraction
    return draw_curve(head, load_table(dataset, source, max_failures), seeds, seed)


def draw_curve(head: Head, table: Table, seeds: int, seed: int) -> LearningCurveDocument:
    """Return the ``fit learning-curve`` contract of a table; see :func:`learning_curve`."""
    points = curve_points(head, table, seeds, seed)
    evaluation = len(table.split.evaluation)
    extrapolation = None
    if len(points) >= LEAST_SIZES:
        extrapolation = extrapolate(
            np.array([point.images_a_class for point in points]),
            [point.hits for point in points],
            np.array([mean_error(point.hits) for point in points]),
            seed,
        )
    return {
        "version": 1,
        "model": head.name,
        "points": [point.to_dict() for point in points],
        "evaluation": {"split": table.split.name, "n": evaluation},
        "extrapolation": extrapolation,
        "conclusion": conclude(len(points), extrapolation, evaluation, head.least),
        "classes": table.classes,
        "seed": seed,
        "warnings": [*table.warnings, *_proportions(table, head.least)],
    }


def curve_points(head: Head, table: Table, seeds: int, seed: int) -> list[Point]:
    """Fit and evaluate a head on nested subsets of every size.

    There are ``seeds`` subsets of each size but the largest, which is one: all images.

    Returns
    -------
    list of Point
        Sizes ascending, each about twice the one before.
    """
    pool = table.split.fitting
    y, groups = table.y[pool], table.groups[pool]
    targets = subset_targets(np.bincount(y, minlength=len(table.classes)), head.least)
    drawn = [nested_subsets(y, groups, targets, seed + number) for number in range(seeds)]
    levels = [list(subsets) for subsets in zip(*drawn, strict=True)]
    levels[-1] = levels[-1][:1]  # all images, whatever the seed
    levels = _growing(levels)
    total, done = sum(len(subsets) for subsets in levels), 0
    tell = stage(f"fitting {head.name} on subsets")
    points = []
    for subsets in levels:
        hits = []
        for number, rows in enumerate(subsets):
            hits.append(_hits(head, table, pool[rows], seed + number))
            done += 1
            tell(done, total)
        mean = _mean_size(subsets)
        points.append(Point(round(mean / len(table.classes), 2), round(mean), np.stack(hits)))
    return points


def _growing(levels: list[list[Rows]]) -> list[list[Rows]]:
    """Leave out each size that the next does not exceed: large groups may fill two alike."""
    means = [*(_mean_size(subsets) for subsets in levels), math.inf]
    return [subsets for number, subsets in enumerate(levels) if means[number] < means[number + 1]]


def _mean_size(subsets: Sequence[Rows]) -> float:
    return float(np.mean([len(rows) for rows in subsets]))


def _hits(head: Head, table: Table, rows: Rows, seed: int) -> NDArray[np.bool_]:
    """Choose and fit on some rows, label the evaluation split: (n evaluation,)."""
    estimator = tune_and_fit(head, table, rows, rows, seed).estimator
    evaluation = table.split.evaluation
    predicted = estimator.predict(take(table.X, evaluation))
    right: NDArray[np.bool_] = predicted == table.y[evaluation]
    return right


def conclude(sizes: int, extrapolation: Extrapolation | None, n: int, least: int = 2) -> str:
    """Say in one sentence what doubling the training images would bring.

    Parameters
    ----------
    sizes : int
        Points of the curve.
    extrapolation : dict or None
        From :func:`headstart.classify.statistics.power_law.extrapolate`; None where the sizes are too few.
    n : int
        Evaluation images.
    least : int
        Images a class at the smallest size.
    """
    if extrapolation is None:
        return (
            f"{sizes} {'size is' if sizes == 1 else 'sizes are'} too few to say what more images would bring: "
            f"{LEAST_SIZES} take {least * 2 ** (LEAST_SIZES - 1)} training images a class"
        )
    gain, (low, high) = 100 * extrapolation["gain"], extrapolation["gain_ci95"]
    figures = f"{gain:+.1f} points (95 % interval {100 * low:+.1f} to {100 * high:+.1f})"
    doubled = f"doubling the data to {extrapolation['images_a_class']:.0f} images a class"
    if low * n < 1:
        return (
            f"no gain can be told on {n} images: by the power law {doubled} would bring {figures}, "
            f"and one image is {100 / n:.2f} points"
        )
    return (
        f"by the power law {doubled} would bring {figures}, "
        f"to {100 * extrapolation['accuracy']:.1f} %"
    )


def _proportions(table: Table, least: int) -> list[str]:
    counts = np.bincount(table.y[table.split.fitting], minlength=len(table.classes))
    if counts.max() <= 2 * counts.min():
        return []
    line = (
        f"classes have {counts.min()} to {counts.max()} training images: subsets keep the "
        f"proportions, with at least {least} a class, and sizes are means over the classes"
    )
    return [line]
