"""``label --simulate``: labels that are known answer for the person, to see how many it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from ...cache.rows import take
from ...errors import DataError
from ...progress import stage
from ...text import shown
from ..data.collection import Collection
from ..data.columns import TapSelector
from ..data.split import Rows, split_images
from ..statistics.intervals import crossed_interval
from .learner import can_learn, learn
from .looks import look
from .order import Looks, what_next

BATCH = 10  # labels between two fits
STRATEGIES = ("chosen", "random")


class PointDocument(TypedDict):
    """Accuracy on the evaluation split at a number of labels, over the seeds."""

    labels: int
    accuracy: float
    ci95: list[float]


class NeededDocument(TypedDict):
    """Labels at which the goal was first reached, for each seed; None where it was not."""

    by_seed: list[int | None]
    mean: float | None
    ci95: list[float] | None


class StrategyDocument(TypedDict):
    """One order of labelling."""

    name: str
    points: list[PointDocument]
    needed: NeededDocument | None


class SimulationDocument(TypedDict):
    """The contract of ``headstart label --simulate --json``."""

    version: int
    dataset: str
    pool: int
    evaluation: dict[str, Any]
    seeds: int
    goal: float | None
    strategies: list[StrategyDocument]
    fewer: NeededDocument | None
    warnings: list[str]


@dataclass(frozen=True)
class Pool:
    """Photographs to label, whose labels are known, and others to evaluate on.

    Parameters
    ----------
    X : ndarray, shape (n, d), float32
        Features of the photographs to label.
    y : ndarray of int, shape (n,)
        Their classes.
    looks : Looks
        What they look like.
    evaluated : ndarray, shape (e, d), float32
        Features of the evaluation split.
    truth : ndarray of int, shape (e,)
        Its classes.
    taps : TapSelector or None
        What the columns are.
    """

    X: Any
    y: NDArray[np.intp]
    looks: Looks
    evaluated: Any
    truth: NDArray[np.intp]
    taps: TapSelector | None


def simulate(
    collection: Collection, seeds: int, most: int, goal: float | None = None
) -> SimulationDocument:
    """Label a dataset's training photographs in the order of the page, and in random order.

    Both orders fit the same head, and are evaluated on the evaluation split after every ten labels.

    Parameters
    ----------
    collection : Collection
        With labels for all photographs.
    seeds : int
        Times that each order is run.
    most : int
        Labels given at most.
    goal : float, optional
        An accuracy, over 0 and below 1: how many labels does it take?

    Raises
    ------
    DataError
        If a label is missing, or the splits cannot be used.
    """
    _, y = collection.known()
    if (y < 0).any():
        raise DataError(
            f"--simulate knows the labels beforehand, and {int((y < 0).sum()):,} of "
            f"{shown(collection.root)} are missing: name a labelled dataset"
        )
    split = split_images(collection.images, collection.digests)
    rows = split.fitting
    looks = look(collection.some(rows))
    pool = Pool(
        *(take(collection.X, rows), y[rows], looks),
        *(take(collection.X, split.evaluation)[:], y[split.evaluation], collection.taps),
    )
    most = min(most, len(rows))
    tell, done, total = stage("simulating"), 0, len(STRATEGIES) * seeds
    hits: dict[str, list[dict[int, NDArray[np.bool_]]]] = {name: [] for name in STRATEGIES}
    for seed in range(seeds):
        for name, own in hits.items():
            own.append(_run(pool, name, most, seed))
            done += 1
            tell(done, total)
    needed = {name: [_first(run, goal) for run in own] for name, own in hits.items()}
    return {
        "version": 1,
        "dataset": shown(collection.root),
        "pool": len(rows),
        "evaluation": {"split": split.name, "n": len(split.evaluation)},
        "seeds": seeds,
        "goal": goal,
        "strategies": [
            {
                "name": name,
                "points": _points(own),
                "needed": None if goal is None else _over_seeds(needed[name]),
            }
            for name, own in hits.items()
        ],
        "fewer": None if goal is None else _over_seeds(_ratios(needed)),
        "warnings": [*collection.warnings, *split.warnings],
    }


def _run(pool: Pool, name: str, most: int, seed: int) -> dict[int, NDArray[np.bool_]]:
    """Return which evaluation photographs are labelled right at each number of labels."""
    order = np.random.default_rng(seed).permutation(len(pool.y))
    y = np.full(len(pool.y), -1, np.intp)
    hits = {}
    probabilities = None
    while (count := int((y >= 0).sum())) < most:
        rows: Rows = order[count : count + BATCH]
        if name == "chosen":
            batch = what_next(pool.looks, y >= 0, probabilities, BATCH, seed)
            rows = np.array([photograph.row for photograph in batch], dtype=np.intp)
        if not len(rows):  # all that are left are nearly the same as one with a label
            break
        y[rows] = pool.y[rows]
        if not can_learn(y):
            continue
        learnt = learn(pool.X, y, pool.looks.alike, seed, pool.taps)
        probabilities = learnt.probabilities(pool.X) if name == "chosen" else None
        predicted = learnt.classes[learnt.probabilities(pool.evaluated).argmax(axis=1)]
        hits[int((y >= 0).sum())] = predicted == pool.truth
    return hits


def _points(runs: list[dict[int, NDArray[np.bool_]]]) -> list[PointDocument]:
    """Return the curve at the numbers of labels that all runs have."""
    points: list[PointDocument] = []
    for labels in sorted(set.intersection(*(set(run) for run in runs))):
        hits = np.stack([run[labels] for run in runs])
        ci95 = list(crossed_interval(hits))
        points.append({"labels": labels, "accuracy": float(hits.mean()), "ci95": ci95})
    return points


def _first(run: dict[int, NDArray[np.bool_]], goal: float | None) -> int | None:
    return next((n for n, hits in run.items() if goal is not None and hits.mean() >= goal), None)


def _ratios(needed: dict[str, list[int | None]]) -> list[float | None]:
    pairs = zip(needed["chosen"], needed["random"], strict=True)
    return [None if a is None or b is None else a / b for a, b in pairs]


def _over_seeds(values: Any) -> NeededDocument:
    """Return a mean over seeds with Student's 95 % interval; none where a seed has no value."""
    from scipy.stats import t

    if None in values:
        return {"by_seed": values, "mean": None, "ci95": None}
    mean = float(np.mean(values))
    if len(values) == 1:
        return {"by_seed": values, "mean": mean, "ci95": None}
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return {"by_seed": values, "mean": mean, "ci95": [mean - half, mean + half]}
