"""The table of heads: estimator and search space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer
from sklearn.svm import LinearSVC

from ..errors import unknown
from .dense import DenseHead
from .scale import PowerScaler
from .taps import TapSelector


@dataclass(frozen=True, slots=True)
class Head:
    """One row of the table.

    Parameters
    ----------
    name : str
        What ``--model`` takes.
    make : callable
        Seed to unfitted estimator.
    scaler : callable
        Makes the unfitted scaler before it.
    search : dict
        Parameter of the pipeline (``scale__…`` or ``head__…``) to the values to
        choose among, the most regularised first: ties go to the first.
    """

    name: str
    make: Callable[[int], Any]
    scaler: Callable[[], Any]
    search: dict[str, list[Any]]

    def pipeline(self, seed: int, taps: TapSelector | None = None) -> Pipeline:
        """Return scaler and head, unfitted, in one pipeline, behind the choice of columns."""
        before = [("taps", clone(taps))] if taps is not None else []
        return Pipeline([*before, ("scale", self.scaler()), ("head", self.make(seed))])

    def candidates(self, rows: int) -> dict[str, list[Any]]:
        """Return the search space for ``rows`` training rows: no more neighbours than rows."""
        return {
            name: [value for value in values if name != "head__n_neighbors" or value <= rows]
            for name, values in self.search.items()
        }


def _half_decades(low: int, high: int) -> list[float]:
    values = np.logspace(low, high, 2 * (high - low) + 1)
    return [float(f"{value:.3g}") for value in values]


_POWERS = {"scale__power": [1.0, 0.5]}

HEADS = {
    row.name: row
    for row in (
        Head(
            "logreg",
            # C multiplies the loss: small is strong.
            lambda seed: LogisticRegression(max_iter=1000, random_state=seed),
            PowerScaler,
            {"head__C": _half_decades(-3, 2), **_POWERS},
        ),
        Head(
            "ridge",
            lambda seed: RidgeClassifier(random_state=seed),
            PowerScaler,
            {"head__alpha": _half_decades(0, 5)[::-1], **_POWERS},
        ),
        Head(
            "linear-svm",
            # The dual is solved: twice as fast as the primal here (1,097 x 1,024).
            lambda seed: LinearSVC(dual=True, tol=1e-3, max_iter=5000, random_state=seed),
            PowerScaler,
            {"head__C": [1e-5, 1e-4, 1e-3, 1e-2], **_POWERS},
        ),
        Head(
            "knn",
            # On rows of length 1 the Euclidean order is the cosine's; trees do not help in
            # a thousand dimensions.
            lambda _: KNeighborsClassifier(weights="distance", algorithm="brute"),
            Normalizer,
            {"head__n_neighbors": [30, 20, 15, 10, 7, 5, 3, 1]},
        ),
        Head(
            "dense",
            lambda seed: DenseHead(random_state=seed),
            PowerScaler,
            {},
        ),
    )
}

# What fine-tuning starts from: logreg as one softmax layer on the features as they are. A square
# root in the network would have an infinite slope at features of 0.
PROBE = replace(HEADS["logreg"], search={"head__C": HEADS["logreg"].search["head__C"]})


def find_head(name: str) -> Head:
    """Return the row of this name.

    Raises
    ------
    OptionError
        If there is none; the message lists the valid names.
    """
    if name not in HEADS:
        raise unknown("head", name, list(HEADS))
    return HEADS[name]
