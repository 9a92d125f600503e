"""What a search may cost, counted before it runs: the same on every machine and every day."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ...errors import OptionError

REFIT = 8 / 7  # images of the last training against those of the search
C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Level:
    """How much is tried.

    Parameters
    ----------
    name : str
        As asked for.
    minutes : float
        Of two cores of a processor of 2023: search and last training together. A plan is made by
        arithmetic, not by the clock, so that the same inputs try the same candidates.
    rungs : tuple of int
        Epochs of each round; after a round the better half goes on.
    """

    name: str
    minutes: float
    rungs: tuple[int, ...]

    def fitted(self, share: float, first: Sequence[Cost], folds: int = 1) -> Level:
        """Return the level with the epochs that the images want and the budget bears.

        Epochs go until the first candidates fit: a verdict takes as many. Where that leaves
        fewer epochs than it takes, too, the first candidate alone has to fit.

        Parameters
        ----------
        share : float
            Of its epochs, from :func:`share_of_epochs`.
        first : sequence of Cost
            Of the first candidates.
        folds : int
            Different eighths of the training images that judge each candidate.
        """
        longest = max(1, round(share * self.rungs[-1]))
        for last in range(longest, 0, -1):
            rungs = tuple(max(1, round(epochs * last / self.rungs[-1])) for epochs in self.rungs)
            wanted = first if last >= least_epochs(share) else first[:1]
            if seconds_ahead(wanted, rungs, folds) <= 60 * self.minutes:
                break
        return replace(self, rungs=rungs)


LEVELS = (
    Level("quick", 2.0, (2, 8)),
    Level("standard", 7.5, (2, 8)),
    Level("thorough", 60.0, (3, 6, 15)),
)
MANY = 1500  # images whose epochs are those of the level
LEAST_CANDIDATES = 4  # settings that must have been tried for a verdict, and …
LEAST_EPOCHS = 5  # … epochs that the longest may take; fewer where many images make up for it


def share_of_epochs(images: int) -> float:
    """Return how many of a level's epochs so many images want: more learn as much in fewer.

    Examples
    --------
    >>> share_of_epochs(6000), share_of_epochs(100)
    (0.5, 2.0)
    """
    return min(2.0, math.sqrt(MANY / images))


def least_epochs(share: float) -> int:
    """Return the epochs that the longest training of a search must be allowed for a verdict."""
    return max(1, round(LEAST_EPOCHS * share))


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that a candidate takes.

    Parameters
    ----------
    epoch : float
        For each epoch.
    begin : float
        For each training.
    once : dict
        For what candidates share, such as the maps at a boundary: what it is to its seconds.
    """

    epoch: float
    begin: float
    once: dict[Hashable, float]


def find_level(budget: str, epochs: int | None = None) -> Level:
    """Return what a budget allows.

    Parameters
    ----------
    budget : str
        The name of a level, or minutes: then the largest level that fits gives the rounds.
    epochs : int, optional
        Of the last round, in place of the level's.

    Raises
    ------
    OptionError
        If it is neither.

    Examples
    --------
    >>> find_level("10")
    Level(name='10', minutes=10.0, rungs=(2, 8))
    >>> find_level("quick", epochs=4).rungs
    (2, 4)
    """
    named = {level.name: level for level in LEVELS}
    level = named.get(budget)
    if level is None:
        minutes = _minutes(budget)
        fitting = [row for row in LEVELS if row.minutes <= minutes] or list(LEVELS[:1])
        level = replace(fitting[-1], name=budget, minutes=minutes)
    if epochs is None:
        return level
    return replace(level, rungs=(*(e for e in level.rungs[:-1] if e < epochs), epochs))


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes < math.inf:
        names = ", ".join(level.name for level in LEVELS)
        raise OptionError(f"--budget {text}: expected {names} or minutes over 0")
    return minutes


def seconds_ahead(costs: Sequence[Cost], rungs: Sequence[int], folds: int = 1) -> float:
    """Return what these candidates can take at most: the costliest half goes on each time.

    Examples
    --------
    >>> seconds_ahead([Cost(7.0, 0.0, {}), Cost(1.0, 0.0, {})], (2, 4))  # 14 + 2, 28, 32
    76.0
    """
    standing = sorted(costs, key=lambda cost: -cost.epoch)
    once: dict[Hashable, float] = {}
    for cost in standing:
        once |= cost.once
    total = sum(once.values())
    for epochs in rungs:
        if len(standing) > 1 or epochs == rungs[-1]:
            total += folds * sum(cost.begin + epochs * cost.epoch for cost in standing)
        standing = standing[: half(len(standing))]
    return total + costs_last(standing, rungs[-1])


def costs_last(standing: Sequence[Cost], epochs: int) -> float:
    """Return what the last training can take, on all training images."""
    return max(cost.begin + epochs * REFIT * cost.epoch for cost in standing)


def half(count: int) -> int:
    """Return how many of some candidates go on."""
    return max(1, (count + 1) // 2)


def within(
    candidates: Sequence[C],
    cost_of: Callable[[C], Cost],
    rungs: Sequence[int],
    seconds: float,
    *,
    standing: Sequence[C] = (),
    folds: int = 1,
) -> tuple[list[C], list[C]]:
    """Part candidates into those that a budget bears, taken in order, and the others.

    Parameters
    ----------
    candidates : sequence
        In the order in which they are taken. The first is taken in any case, where nothing is
        standing.
    cost_of : callable
        Candidate to its cost.
    rungs : sequence of int
        Rounds that are left.
    seconds : float
        What is left of the budget.
    standing : sequence
        Those that are taken already.
    folds : int
        Different eighths of the training images that judge each candidate.
    """
    taken = list(standing)
    refused: list[C] = []
    for candidate in candidates:
        costs = [cost_of(row) for row in (*taken, candidate)]
        fits = seconds_ahead(costs, rungs, folds) <= seconds
        (taken if fits or not taken else refused).append(candidate)
    return taken, refused
