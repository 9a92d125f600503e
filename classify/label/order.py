"""What to show next: typical photographs first, then those that teach most, and some to check.

The first are TypiClust's (Hacohen, Dekel and Weinshall 2022, arXiv:2202.02794): as many clusters
as there will be labels, of each without one the photograph in the densest place. Then the
photographs that are left are divided into clusters weighted by how unsure the head is of each, and
the nearest to each middle is shown (Zhdanov 2019, arXiv:1901.05954): unsure, and unlike one
another. Some are drawn at random, which says how right the guesses are of all that is left. What
is nearly the same as a photograph that has a label comes when nothing else is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from ..data.split import Rows

TYPICAL, UNSURE, CHECK, ALIKE = "typical", "unsure", "check", "alike"  # why one is shown
FIRST = 20  # labels that typical photographs get, at least
CHECK_EVERY = 10  # one photograph of so many is drawn at random
MOST = 20_000  # photographs that clusters are made of: the least sure, or some at random


@dataclass(frozen=True, slots=True)
class Shown:
    """A photograph to label, and why it is shown."""

    row: int
    why: str


@dataclass(frozen=True)
class Looks:
    """What photographs look like, as far as the order needs it.

    Parameters
    ----------
    points : ndarray, shape (n, p), float32
        Principal components, each row of length 1.
    density : ndarray, shape (n,)
        The higher, the nearer are a photograph's neighbours.
    alike : ndarray of int, shape (n,)
        Equal for photographs that are nearly the same.
    """

    points: NDArray[np.float32]
    density: NDArray[np.float64]
    alike: Rows


def what_next(
    looks: Looks,
    done: NDArray[np.bool_],
    probabilities: NDArray[np.float64] | None,
    count: int,
    seed: int,
) -> list[Shown]:
    """Return photographs to label next; the nearly same as one that is done come last of all.

    Parameters
    ----------
    looks : Looks
        Of all photographs.
    done : ndarray of bool, shape (n,)
        Labelled, or not to be shown.
    probabilities : ndarray, shape (n, k), or None
        What the head says of each; None before there is one.
    count : int
        How many, at most.
    seed : int
        Of clusters and draws.
    """
    free = _free(looks.alike, done)
    if not len(free):
        return [Shown(int(row), ALIKE) for row in np.flatnonzero(~done)[:count]]
    count = min(count, len(free))
    random = np.random.default_rng((seed, int(done.sum())))
    if probabilities is None or done.sum() < FIRST:
        return [Shown(row, TYPICAL) for row in _typical(looks, done, free, count, random)]
    drawn = random.choice(free, -(-count // CHECK_EVERY), replace=False)
    rest = np.setdiff1d(free, drawn)
    unsure = _unsure(looks, rest, probabilities[rest], count - len(drawn), random)
    return [Shown(int(row), UNSURE) for row in unsure] + [Shown(int(r), CHECK) for r in drawn]


def _free(alike: Rows, done: NDArray[np.bool_]) -> Rows:
    """Return one row of each photograph that is not done, nor nearly the same as one that is."""
    rows = np.flatnonzero(~np.isin(alike, alike[done]))
    return rows[np.sort(np.unique(alike[rows], return_index=True)[1])]


def _typical(
    looks: Looks, done: NDArray[np.bool_], free: Rows, count: int, random: np.random.Generator
) -> list[int]:
    rows = np.concatenate([np.flatnonzero(done), free])
    if len(rows) > MOST:
        rows = np.concatenate([np.flatnonzero(done), random.choice(free, MOST, replace=False)])
    clusters = min(int(done.sum()) + count, len(rows))
    of = KMeans(clusters, n_init=1, random_state=int(random.integers(2**31))).fit_predict(
        looks.points[rows]
    )
    labelled = np.bincount(of, weights=done[rows], minlength=clusters)
    order = np.lexsort((-np.bincount(of, minlength=clusters), labelled))
    waiting = [
        own[np.argsort(-looks.density[own], kind="stable")].tolist()
        for own in (rows[(of == cluster) & ~done[rows]] for cluster in order)
        if len(own)
    ]
    taken: list[int] = []
    while len(taken) < count:  # one of each cluster, then a second
        taken += [own.pop(0) for own in waiting if own][: count - len(taken)]
    return taken


def _unsure(
    looks: Looks,
    rows: Rows,
    probabilities: NDArray[np.float64],
    count: int,
    random: np.random.Generator,
) -> Rows:
    two = np.partition(probabilities, -2, axis=1)[:, -2:]
    doubt = (1 - (two[:, 1] - two[:, 0])) ** 2
    if len(rows) > MOST:
        kept = np.argsort(-doubt, kind="stable")[:MOST]
        rows, doubt = rows[kept], doubt[kept]
    if count >= len(rows):
        return rows
    points = looks.points[rows]
    middles = KMeans(count, n_init=1, random_state=int(random.integers(2**31)))
    distances = middles.fit(points, sample_weight=doubt + 1e-6).transform(points)
    chosen = dict.fromkeys(distances.argmin(axis=0).tolist())
    spare = (place for place in np.argsort(-doubt, kind="stable").tolist() if place not in chosen)
    while len(chosen) < count:  # two middles had one nearest photograph
        chosen[next(spare)] = None
    return rows[list(chosen)]
