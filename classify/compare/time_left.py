"""How long the rest of a comparison will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class TimeLeft:
    """Estimate from what each approach took before, corrected by how this run goes.

    Parameters
    ----------
    plan : sequence of str
        Names of the approaches that will run, in order.
    images : int
        Training images.
    known : mapping of str to float
        Seconds an image by name: of earlier runs on this machine, else typical ones, whose
        proportions alone count once something has run.

    Examples
    --------
    >>> left = TimeLeft(["knn", "logreg"], 1000, {"knn": 0.002, "logreg": 0.003})
    >>> left.seconds()
    5.0
    >>> left.done("knn", 4.0)  # half as fast as before
    >>> left.seconds()
    6.0
    """

    def __init__(self, plan: Sequence[str], images: int, known: Mapping[str, float]) -> None:
        self._left = list(plan)
        self._images = images
        self._known = dict(known)
        self._expected = self._taken = 0.0
        self.measured: dict[str, float] = {}  # seconds an image, by what has run here

    def done(self, name: str, seconds: float) -> None:
        """Take in that an approach has run."""
        self._left.remove(name)
        self._expected += self._expect(name)
        self._taken += seconds
        self._known[name] = self.measured[name] = seconds / self._images

    def seconds(self) -> float:
        """Return the estimate for everything that is left."""
        slower = self._taken / self._expected if self._expected else 1.0
        return slower * sum(self._expect(name) for name in self._left)

    def _expect(self, name: str) -> float:
        return self._known[name] * self._images
