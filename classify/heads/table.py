"""The table of heads: one row is all that any room knows of a head.

Estimators are imported where they are made, so that a help text reads the table in no time.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from ...errors import OptionError, unknown

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from ..data.columns import TapSelector


@dataclass(frozen=True, slots=True)
class Head:
    """One row of the table."""

    name: str  # what `--model` takes
    summary: str  # what it is in a few words, for the help text
    estimator: str  # "module:class", imported where it is made
    # parameter of the pipeline (`scale__…` or `head__…`) to the values
    # to choose among, the most regularised first: ties go to the first
    search: dict[str, list[Any]] = field(default_factory=dict)
    # one more parameter whose values, in order, are walked
    # from coarse to fine, the most regularised first
    path: dict[str, list[float]] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)  # of the estimator
    unit_rows: bool = False  # whether rows are brought to length 1 instead of scaled by their power
    # seconds for a thousand images on two cores, where this machine has not run it yet
    cost: float = 40.0
    fast: bool = True  # seconds, not minutes, on a thousand images: what `--model auto` runs
    # "skops", which reads a file back safely, or "joblib". Trees cannot: their arrays are walked
    # without bounds, so a crafted file could corrupt memory. They load only with `--trust-joblib`
    saved: Literal["skops", "joblib"] = "skops"
    # types of scikit-learn in a fitted estimator that
    # skops does not trust by itself; data all of it
    trusted: tuple[str, ...] = ()
    # row of the table in `export/heads` that computes it
    # in an exported network; None where a converter has to
    operations: str | None = None
    # row of the table in `explain/layers` that takes it apart
    # into dense layers; None where only occlusion explains it
    layers: str | None = None
    weighs: bool = False  # whether `--class-weight balanced` works
    # whether features that stay on the disk are read in blocks, by `heads/linear`
    streams: bool = False
    # whether its `fit` holds a part out of the training rows, and is told their groups
    holds_out: bool = False
    # images a class from which it can be chosen: what learns
    # how a class varies needs two in each fold's training part
    least: int = 2
    # whether the most regularised candidate within one
    # standard error of the best is taken instead of the best
    one_se: bool = False

    def make(self, seed: int) -> Any:
        """Return the unfitted estimator; a seed is for those that draw."""
        made = pkgutil.resolve_name(self.estimator)(**self.arguments)
        return made.set_params(random_state=seed) if "random_state" in made.get_params() else made

    def pipeline(
        self, seed: int, taps: TapSelector | None = None, class_weight: str | None = None
    ) -> Pipeline:
        """Return scaler and head, unfitted, in one pipeline, behind the choice of columns.

        Raises
        ------
        OptionError
            If classes are to be weighted and this head cannot.
        """
        from sklearn.base import clone
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import Normalizer

        from .scaler import PowerScaler

        head = self.make(seed)
        if class_weight is not None:
            if not self.weighs:
                able = ", ".join(row.name for row in HEADS.values() if row.weighs)
                raise OptionError(
                    f"{self.name} cannot weigh classes; --class-weight works with {able}"
                )
            head.set_params(class_weight=class_weight)
        before = [("taps", clone(taps))] if taps is not None else []
        scaler = Normalizer() if self.unit_rows else PowerScaler()
        return Pipeline([*before, ("scale", scaler), ("head", head)])

    def candidates(self, rows: int) -> dict[str, list[Any]]:
        """Return the search space for ``rows`` training rows: no more neighbours than rows."""
        return {
            name: [value for value in values if name != "head__n_neighbors" or value <= rows]
            for name, values in self.search.items()
        }


def _log_spaced(low: float, high: float, count: int) -> list[float]:
    step = (high - low) / (count - 1)
    return [float(f"{10 ** (low + number * step):.4g}") for number in range(count)]


def _tenths(first: int, last: int) -> list[float]:
    return [number / 10 for number in range(first, last - 1, -1)]


_OURS = "headstart.classify.heads.linear.estimators:"
_POWERS: dict[str, list[Any]] = {"scale__power": [1.0, 0.5]}

# From the cheapest to the dearest: --rule one-se takes the first that is good enough.
HEADS = {
    row.name: row
    for row in (
        Head(
            "centroid",
            "nearest class mean, shrunk",
            _OURS + "CentroidHead",
            {"head__shrink_threshold": [10.0, 3.0, 1.0, 0.3, 0.1], **_POWERS},
            cost=1.0,
            operations="linear",
            layers="linear",
            streams=True,
            least=3,
        ),
        Head(
            "gaussian-nb",
            "naive Bayes",
            "sklearn.naive_bayes:GaussianNB",
            {"head__var_smoothing": [1.0, 0.1, 0.01, 1e-3, 1e-6], **_POWERS},
            cost=1.0,
            operations="gaussian",
        ),
        Head(
            "knn",
            "nearest training images",
            # On rows of length 1 the Euclidean order is the cosine's; trees do not help in a thousand
            # dimensions.
            "sklearn.neighbors:KNeighborsClassifier",
            {"head__n_neighbors": [30, 20, 15, 10, 7, 5, 3, 1]},
            arguments={"weights": "distance", "algorithm": "brute"},
            unit_rows=True,
            cost=1.0,
            operations="neighbours",
        ),
        Head(
            "ridge",
            "least squares",
            _OURS + "RidgeHead",
            _POWERS,
            {"head__alpha": _log_spaced(6, -2, 33)},
            cost=2.0,
            operations="linear",
            layers="linear",
            weighs=True,
            streams=True,
        ),
        Head(
            "lda",
            "linear discriminant analysis, shrunk",
            _OURS + "DiscriminantHead",
            _POWERS,
            {
                "head__shrinkage": [0.99, 0.95, *_tenths(9, 1), 0.05, 0.02],
            },
            cost=6.0,
            operations="linear",
            layers="linear",
            streams=True,
            least=3,
        ),
        Head(
            "logreg",
            "logistic regression",
            _OURS + "LogisticHead",
            _POWERS,
            # C multiplies the loss: small is strong. The range and number of values are those of
            # Kornblith et al. 2019, arXiv:1805.08974, A.5.
            {"head__C": _log_spaced(-6, 5, 45)},
            cost=3.0,
            operations="linear",
            layers="linear",
            weighs=True,
            streams=True,
        ),
        Head(
            "linear-svm",
            "linear support vectors",
            _OURS + "HingeHead",
            _POWERS,
            {"head__C": _log_spaced(-6, -1, 21)},
            cost=8.0,
            operations="linear",
            layers="linear",
            weighs=True,
            streams=True,
        ),
        Head(
            "svm",
            "support vectors with a Gaussian kernel",
            "sklearn.svm:SVC",
            {"head__C": [0.3, 1.0, 3.0, 10.0, 30.0], **_POWERS},
            cost=6.0,
            operations="svm",
            weighs=True,
        ),
        Head(
            "random-forest",
            "300 trees",
            "sklearn.ensemble:RandomForestClassifier",
            arguments={"n_estimators": 300},
            cost=20.0,
            fast=False,
            saved="joblib",
            weighs=True,
        ),
        Head(
            "mlp",
            "one hidden layer, by scikit-learn",
            "sklearn.neural_network:MLPClassifier",
            {"head__alpha": [1.0, 0.01]},
            arguments={"hidden_layer_sizes": 256, "max_iter": 100},
            cost=20.0,
            fast=False,
            trusted=("sklearn.neural_network._stochastic_optimizers.AdamOptimizer",),
            operations="mlp",
            layers="mlp",
        ),
        Head(
            "dense",
            "one hidden layer with dropout, by Keras",
            "headstart.classify.heads.dense:DenseHead",
            cost=30.0,
            fast=False,
            operations="dense",
            layers="dense",
            holds_out=True,
        ),
        Head(
            "hist-gb",
            "gradient-boosted trees",
            "sklearn.ensemble:HistGradientBoostingClassifier",
            # A tenth of the features a split: a thousand correlated ones tell little more.
            arguments={
                "max_iter": 60,
                "max_leaf_nodes": 15,
                "min_samples_leaf": 5,
                "max_features": 0.1,
            },
            cost=60.0,
            fast=False,
            saved="joblib",
            weighs=True,
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


def row_of(estimator: Any) -> Head | None:
    """Return the row that made a calibrated classifier's head; None where no row did."""
    steps = getattr(estimator.estimator_, "named_steps", {})
    kind = type(steps.get("head"))
    return next((row for row in HEADS.values() if type(row.make(0)) is kind), None)


def describe_heads() -> str:
    """Return the names with what they are, for a help text."""
    return ", ".join(f"{row.name} ({row.summary})" for row in HEADS.values())
