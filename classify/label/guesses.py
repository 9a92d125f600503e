"""A head fitted again and again in the background, each time to the latest labels."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.collection import Collection
from ..data.split import Rows
from .learner import Learnt, can_learn, learn
from .quality import QualityDocument, judge


class Labels(NamedTuple):
    """Labels at a moment: class indices (n,), -1 where none; class names; reasons (n,)."""

    y: NDArray[np.intp]
    classes: list[str]
    reasons: list[str]


@dataclass(frozen=True)
class Guesses:
    """What a head says of all photographs.

    Parameters
    ----------
    best : list of str, length n
        The most probable class of each.
    probabilities : ndarray, shape (n, k), float64
        Of the classes that have labels.
    quality : QualityDocument
        How good it is.
    """

    best: list[str]
    probabilities: NDArray[np.float64]
    quality: QualityDocument


class Guesser:
    """Fits heads in a thread of its own. Safe for threads.

    Parameters
    ----------
    collection : Collection
        The photographs.
    alike : ndarray of int, shape (n,)
        Equal for photographs that are nearly the same.
    seed : int
        Of the folds.
    read : callable
        Returns the labels as they are.

    Attributes
    ----------
    latest : Guesses or None
        Of the last head; None before two classes have two labels each.
    """

    def __init__(
        self, collection: Collection, alike: Rows, seed: int, read: Callable[[], Labels]
    ) -> None:
        self.latest: Guesses | None = None
        self._collection = collection
        self._alike = alike
        self._seed = seed
        self._read = read
        self._worker = ThreadPoolExecutor(1, "learn")
        self._learning: Future[None] | None = None

    @property
    def learning(self) -> bool:
        """Whether a head is being fitted."""
        return self._learning is not None and not self._learning.done()

    def again(self) -> None:
        """Have a head fitted, unless one that waits will see these labels too."""
        if self._learning is None or self._learning.running() or self._learning.done():
            self._learning = self._worker.submit(self._learn)

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the head that is being fitted, if there is one; at most so long."""
        if self._learning is not None:
            try:
                self._learning.result(seconds)
            except TimeoutError:
                return

    def rename(self, old: str, new: str) -> None:
        """Call a class otherwise in the latest guesses."""
        if self.latest is not None:
            best = [new if name == old else name for name in self.latest.best]
            self.latest = replace(self.latest, best=best)

    def close(self) -> None:
        """Let the thread end once its fit has."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _learn(self) -> None:
        y, classes, reasons = self._read()
        if not can_learn(y):
            self.latest = None
            return
        X = self._collection.X

        def fit(part: NDArray[np.intp]) -> Learnt:
            return learn(X, part, self._alike, self._seed, self._collection.taps)

        def relearn(rows: NDArray[np.intp]) -> Learnt | None:
            part = np.full_like(y, -1)
            part[rows] = y[rows]
            return fit(part) if can_learn(part) else None

        learnt = fit(y)
        probabilities = learnt.probabilities(X)
        quality = judge(learnt, [reasons[row] for row in learnt.rows], relearn, self._seed)
        best = [classes[number] for number in learnt.classes[probabilities.argmax(axis=1)]]
        self.latest = Guesses(best, probabilities, quality)
