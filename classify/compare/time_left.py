"""How long the rest of a comparison will take."""

from __future__ import annotations

from collections.abc import Sequence

# Seconds for a thousand images on two cores: where this machine has not run an approach yet. Only
# their proportions count once something has run.
TYPICAL = {
    "centroid": 1.0,
    "gaussian-nb": 1.0,
    "knn": 1.0,
    "ridge": 2.0,
    "lda": 6.0,
    "logreg": 3.0,
    "linear-svm": 8.0,
    "svm": 6.0,
    "random-forest": 20.0,
    "mlp": 20.0,
    "dense": 30.0,
    "hist-gb": 60.0,
}
UNKNOWN = 40.0


class TimeLeft:
    """Estimate from what each approach took before, corrected by how this run goes.

    Parameters
    ----------
    plan : sequence of str
        Names of the approaches that will run, in order.
    images : int
        Training images.
    known : dict of str to float
        Seconds an image of earlier runs on this machine.

    Examples
    --------
    >>> left = TimeLeft(["knn", "logreg"], 1000, {"knn": 0.002, "logreg": 0.003})
    >>> left.seconds()
    5.0
    >>> left.done("knn", 4.0)  # half as fast as before
    >>> left.seconds()
    6.0
    """

    def __init__(self, plan: Sequence[str], images: int, known: dict[str, float]) -> None:
        self._left = list(plan)
        self._images = images
        self._known = dict(known)
        self._expected = self._taken = 0.0

    def done(self, name: str, seconds: float) -> None:
        """Take in that an approach has run."""
        self._left.remove(name)
        self._expected += self._expect(name)
        self._taken += seconds
        self._known[name] = seconds / self._images

    def seconds(self) -> float:
        """Return the estimate for everything that is left."""
        slower = self._taken / self._expected if self._expected else 1.0
        return slower * sum(self._expect(name) for name in self._left)

    @property
    def known(self) -> dict[str, float]:
        """Seconds an image by name, with what this run has learnt."""
        return dict(self._known)

    def _expect(self, name: str) -> float:
        for_one = self._known.get(name, TYPICAL.get(name, UNKNOWN) / 1000)
        return for_one * self._images
