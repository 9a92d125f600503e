"""The table of heads: estimator, scaling, search space, cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer
from sklearn.svm import SVC

from ...errors import OptionError, unknown
from ..data.columns import TapSelector
from .dense import DenseHead
from .linear.estimators import CentroidHead, DiscriminantHead, HingeHead, LogisticHead, RidgeHead
from .scaler import PowerScaler


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
    path : dict
        One more parameter whose values, in order, are walked from coarse to
        fine, the most regularised first.
    fast : bool
        Seconds, not minutes, on a thousand images: what ``--model auto`` runs.
    saves : bool
        Whether a file of it can be read back safely, by skops. Trees cannot: their
        arrays are walked without bounds, so a crafted file could corrupt memory. They
        are written by joblib, and load only with ``--trust-joblib``.
    least : int
        Images a class from which it can be chosen: what learns how a class varies needs
        two in each fold's training part.
    one_se : bool
        Whether the most regularised candidate within one standard error of the best is
        taken instead of the best.
    """

    name: str
    make: Callable[[int], Any]
    scaler: Callable[[], Any]
    search: dict[str, list[Any]]
    path: dict[str, list[float]] = field(default_factory=dict)
    fast: bool = True
    saves: bool = True
    least: int = 2
    one_se: bool = False

    def pipeline(
        self, seed: int, taps: TapSelector | None = None, class_weight: str | None = None
    ) -> Pipeline:
        """Return scaler and head, unfitted, in one pipeline, behind the choice of columns.

        Raises
        ------
        OptionError
            If classes are to be weighted and this head cannot.
        """
        head = self.make(seed)
        if class_weight is not None:
            if not self.weighs_classes:
                able = ", ".join(row.name for row in HEADS.values() if row.weighs_classes)
                raise OptionError(
                    f"{self.name} cannot weigh classes; --class-weight works with {able}"
                )
            head.set_params(class_weight=class_weight)
        before = [("taps", clone(taps))] if taps is not None else []
        return Pipeline([*before, ("scale", self.scaler()), ("head", head)])

    @property
    def weighs_classes(self) -> bool:
        """Whether ``--class-weight balanced`` works."""
        return "class_weight" in self.make(0).get_params()

    def candidates(self, rows: int) -> dict[str, list[Any]]:
        """Return the search space for ``rows`` training rows: no more neighbours than rows."""
        return {
            name: [value for value in values if name != "head__n_neighbors" or value <= rows]
            for name, values in self.search.items()
        }


def _log_spaced(low: float, high: float, count: int) -> list[float]:
    return [float(f"{value:.4g}") for value in np.logspace(low, high, count)]


_POWERS = {"scale__power": [1.0, 0.5]}

# From the cheapest to the dearest: --rule one-se takes the first that is good enough.
HEADS = {
    row.name: row
    for row in (
        Head(
            "centroid",
            lambda _: CentroidHead(),
            PowerScaler,
            {"head__shrink_threshold": [10.0, 3.0, 1.0, 0.3, 0.1], **_POWERS},
            least=3,
        ),
        Head(
            "gaussian-nb",
            lambda _: GaussianNB(),
            PowerScaler,
            {"head__var_smoothing": [1.0, 0.1, 0.01, 1e-3, 1e-6], **_POWERS},
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
            "ridge",
            lambda _: RidgeHead(),
            PowerScaler,
            _POWERS,
            {"head__alpha": _log_spaced(6, -2, 33)},
        ),
        Head(
            "lda",
            lambda _: DiscriminantHead(),
            PowerScaler,
            _POWERS,
            {
                "head__shrinkage": [
                    0.99,
                    0.95,
                    0.9,
                    0.8,
                    0.7,
                    0.6,
                    0.5,
                    0.4,
                    0.3,
                    0.2,
                    0.1,
                    0.05,
                    0.02,
                ]
            },
            least=3,
        ),
        Head(
            "logreg",
            # C multiplies the loss: small is strong. The range and number of values are those of
            # Kornblith et al. 2019, arXiv:1805.08974, A.5.
            lambda _: LogisticHead(),
            PowerScaler,
            _POWERS,
            {"head__C": _log_spaced(-6, 5, 45)},
        ),
        Head(
            "linear-svm",
            lambda _: HingeHead(),
            PowerScaler,
            _POWERS,
            {"head__C": _log_spaced(-6, -1, 21)},
        ),
        Head(
            "svm",
            lambda seed: SVC(random_state=seed),
            PowerScaler,
            {"head__C": [0.3, 1.0, 3.0, 10.0, 30.0], **_POWERS},
        ),
        Head(
            "random-forest",
            lambda seed: RandomForestClassifier(300, random_state=seed),
            PowerScaler,
            {},
            fast=False,
            saves=False,
        ),
        Head(
            "mlp",
            lambda seed: MLPClassifier(256, max_iter=100, random_state=seed),
            PowerScaler,
            {"head__alpha": [1.0, 0.01]},
            fast=False,
        ),
        Head(
            "dense",
            lambda seed: DenseHead(random_state=seed),
            PowerScaler,
            {},
            fast=False,
        ),
        Head(
            "hist-gb",
            # A tenth of the features a split: a thousand correlated ones tell little more.
            lambda seed: HistGradientBoostingClassifier(
                max_iter=60,
                max_leaf_nodes=15,
                min_samples_leaf=5,
                max_features=0.1,
                random_state=seed,
            ),
            PowerScaler,
            {},
            fast=False,
            saves=False,
        ),
    )
}

# What fine-tuning starts from: logreg as one softmax layer on the features as they are. A square
# root in the network would have an infinite slope at features of 0. The most regularised strength
# within one standard error of the best (Breiman et al. 1984, 3.4.3): a layer that is sure of its
# training images has next to no gradient left to move what lies below.
PROBE = replace(HEADS["logreg"], search={"scale__power": [1.0]}, one_se=True)


def find_head(name: str) -> Head:
    """Return the row of this name.

    Raises
    ------
    OptionError
        If there is none; the message lists the valid names.
    """
    if name not in HEADS:
        raise unknown("head", name, [*HEADS, "auto", "all"])
    return HEADS[name]


def find_heads(names: Sequence[str]) -> list[Head]:
    """Return the rows of these names, cheapest first; ``auto`` is the fast ones, ``all`` all.

    Raises
    ------
    OptionError
        If one is unknown.

    Examples
    --------
    >>> [head.name for head in find_heads(["logreg", "centroid"])]
    ['centroid', 'logreg']
    """
    wanted = set()
    for name in names:
        if name in ("auto", "all"):
            wanted |= {row.name for row in HEADS.values() if row.fast or name == "all"}
        else:
            wanted.add(find_head(name).name)
    return [row for row in HEADS.values() if row.name in wanted]
