"""Abstention: which images a classifier had better leave to a person.

Two figures of an image decide: how sure the head is of its label, and how like
a class of the training images its features are. Confidence finds the images
between two classes, similarity those of no class at all. Where the thresholds
lie comes from training images, each judged by a head and by class means that
had not seen it.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from ...cache.rows import blocks, take
from ...errors import ModelError, OptionError
from ..statistics.intervals import wilson

if TYPE_CHECKING:
    from .training_rows import Training

ABSTENTION = "abstention.npz"  # of the model's file

# Of the curve in the record; any other coverage is looked up from the same out-of-fold scores.
COVERAGES = (*(percent / 100 for percent in range(10, 95, 10)), 0.95, 0.96, 0.97, 0.98, 0.99, 1.0)


class CoverageAndRisk(TypedDict):
    """What labelling from a threshold on means; no risk where no image is labelled."""

    threshold: float
    coverage: float  # share of images labelled, 0 to 1
    risk: float | None  # share of those labelled wrong
    risk_ci95: list[float] | None  # Wilson's


class CoveragePoint(CoverageAndRisk):
    """The same, for a coverage that was wished."""

    wished: float


class AbstentionDocument(TypedDict):
    """The area under the risk-coverage curve, the curve out of fold, and its points on new images."""

    aurc: float
    curve: list[CoveragePoint]
    evaluation: list[CoveragePoint]


@dataclass(frozen=True)
class Abstainer:
    """What is needed to abstain: class means, and training images each judged out of fold."""

    # (k, d), float32: mean direction of each class's features, of length 1
    means: NDArray[np.float32]
    # (n,): highest calibrated probability of each training
    # image, 0 to 1, by a head that had not seen it
    confidence: NDArray[np.float64]
    # (n,), float32: highest cosine, -1 to 1, of each with class means that it is no part of
    similarity: NDArray[np.float32]
    right: NDArray[np.bool_]  # (n,): whether that head labelled it right

    def scores(
        self, confidence: NDArray[np.float64], similarity: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return how usual images are among the training images, over 0 and up to 1.

        The harmonic mean of two conformal p-values (Bates et al. 2023,
        https://doi.org/10.1214/22-AOS2244, section 1.2), of confidence and of
        similarity: it is low where either is, so that no confidence makes up
        for a stranger's features (Wilson 2019,
        https://doi.org/10.1073/pnas.1814092116). The threshold comes from the
        same scores out of fold, so the two may depend on one another.

        Parameters
        ----------
        confidence : ndarray, shape (m,)
            Highest probability of each image.
        similarity : ndarray, shape (m,)
            From :func:`class_similarity`.
        """
        n = len(self.right)
        first = _count_up_to(self.confidence, confidence) + 1
        second = _count_up_to(self.similarity, similarity) + 1
        return _harmonic_mean(first, second) / (n + 1)

    def judge(self, X: Any, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores of features (m, d) with predicted probabilities (m, k)."""
        return self.scores(probabilities.max(axis=1), class_similarity(X, self.means))

    @property
    def out_of_fold_scores(self) -> NDArray[np.float64]:
        """Of the training images, (n,), each among the others."""
        first = _count_up_to(self.confidence, self.confidence)  # counts the image itself
        second = _count_up_to(self.similarity, self.similarity)
        return _harmonic_mean(first, second) / len(self.right)

    def threshold(self, coverage: float) -> float:
        """Return the score from which on an image is labelled.

        The conformal quantile of the out-of-fold scores: of new images like the
        training images, the wished share is labelled on average. A coverage of
        1 labels all: 0.

        Parameters
        ----------
        coverage : float
            Wished share of images that are labelled.

        Raises
        ------
        OptionError
            If it is not over 0 and up to 1.
        """
        if not 0 < coverage <= 1:
            raise OptionError(
                f"--abstain takes the share of images to label, over 0 and up to 1 such as 0.95, "
                f"not {coverage:g}"
            )
        return conformal_threshold(self.out_of_fold_scores, coverage)

    def promise(self, coverage: float) -> CoveragePoint:
        """Return :func:`coverage_and_risk` of the training images for a wished coverage."""
        scores, threshold = self.out_of_fold_scores, self.threshold(coverage)
        return {"wished": coverage, **coverage_and_risk(scores, self.right, threshold)}

    def to_bytes(self) -> bytes:
        """Return the arrays as an ``.npz`` file."""
        file = io.BytesIO()
        np.savez(file, **{field.name: getattr(self, field.name) for field in fields(self)})
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Abstainer:
        """Read what :meth:`to_bytes` made; no code in it is run.

        Raises
        ------
        ModelError
            If arrays are missing or do not fit together.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                read = cls(**{field.name: arrays[field.name] for field in fields(cls)})
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"the model's abstention data cannot be read: {error}") from error
        n = read.right.shape
        if (
            read.means.ndim != 2
            or len(n) != 1
            or {read.confidence.shape, read.similarity.shape} != {n}
        ):
            raise ModelError("the model's abstention data do not fit together: save it again")
        return read


def conformal_threshold(scores: NDArray[np.float64], coverage: float) -> float:
    """Return the score from which on the wished share of images like these (n,) is labelled."""
    n = len(scores)
    left_out = n + 1 - math.ceil(coverage * (n + 1) - 1e-9)
    return float(np.sort(scores)[left_out - 1]) if left_out else 0.0


def make_abstainer(training: Training, out_of_fold: NDArray[np.float64]) -> Abstainer:
    """Gather what abstention needs from training images.

    Parameters
    ----------
    training : Training
        Features, classes and folds.
    out_of_fold : ndarray, shape (n, k)
        Calibrated probabilities of each row, from a fit without it.

    Examples
    --------
    >>> from headstart.classify.heads.training_rows import Training
    >>> X = np.array([[1, 0], [2, 1], [0, 1], [1, 2]], dtype=np.float32)
    >>> rows, sure = np.arange(4), np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])
    >>> folds = [(rows[::2], rows[1::2]), (rows[1::2], rows[::2])]
    >>> abstainer = make_abstainer(Training(X, np.array([0, 0, 1, 1]), folds), sure)
    >>> strange, undecided = np.array([[1, -1]], dtype=np.float32), np.array([[0.5, 0.5]])
    >>> bool(abstainer.judge(strange, undecided)[0] < abstainer.threshold(0.8))
    True
    """
    X, y, k = training.X, training.y, out_of_fold.shape[1]
    similarity = np.empty(len(y), dtype=np.float32)
    for rows, held_out in training.folds:
        means = class_means(take(X, rows), y[rows], k)
        similarity[held_out] = class_similarity(take(X, held_out), means)
    return Abstainer(
        means=class_means(X, y, k),
        confidence=out_of_fold.max(axis=1),
        similarity=similarity,
        right=out_of_fold.argmax(axis=1) == y,
    )


def class_means(X: Any, y: NDArray[np.intp], k: int) -> NDArray[np.float32]:
    """Return each class's mean direction, (k, d), of length 1; 0 for a class without images."""
    sums = np.zeros((k, X.shape[1]), dtype=np.float32)
    for block in blocks(X):
        sums += np.eye(k, dtype=np.float32)[y[block]].T @ _unit(X[block])
    return _unit(sums)


def class_similarity(X: Any, means: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the highest cosine of features (n, d) with class means (k, d), (n,)."""
    return np.concatenate([(_unit(X[block]) @ means.T).max(axis=1) for block in blocks(X)])


def coverage_and_risk(
    scores: NDArray[np.float64], right: NDArray[np.bool_], threshold: float
) -> CoverageAndRisk:
    """Return what labelling from a threshold on means.

    Selective classification: El-Yaniv and Wiener 2010
    (https://jmlr.org/papers/v11/el-yaniv10a.html), Geifman and El-Yaniv 2017
    (arXiv:1705.08500).

    Examples
    --------
    >>> figures = coverage_and_risk(np.array([0.2, 0.6, 0.9]), np.array([False, False, True]), 0.5)
    >>> round(figures["coverage"], 3), figures["risk"]
    (0.667, 0.5)
    """
    accepted = scores >= threshold
    n, errors = int(accepted.sum()), int((accepted & ~right).sum())
    return {
        "threshold": threshold,
        "coverage": n / len(scores),
        "risk": errors / n if n else None,
        "risk_ci95": list(wilson(errors, n)) if n else None,
    }


def aurc(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Return the area under the risk-coverage curve, 0 (no error) to 1.

    The mean of the risk over the n coverages 1/n to 1 (Geifman et al. 2019,
    arXiv:1805.08206, section 2). Images of the same score share their errors
    evenly, so their order does not count.

    Examples
    --------
    >>> round(aurc(np.array([0.9, 0.8, 0.1]), np.array([True, True, False])), 3)
    0.111
    """
    ranks = np.unique(-scores, return_inverse=True)[1]
    errors = np.bincount(ranks, weights=~right) / np.bincount(ranks)
    risks = np.cumsum(errors[np.sort(ranks)]) / np.arange(1, len(scores) + 1)
    return float(risks.mean())


def describe_abstention(
    abstainer: Abstainer, scores: NDArray[np.float64], right: NDArray[np.bool_]
) -> AbstentionDocument:
    """Return the ``abstention`` object of the record.

    The scores are of the evaluation split, which chooses nothing: the thresholds are out of fold.
    """
    curve = [abstainer.promise(coverage) for coverage in COVERAGES]
    return {
        "aurc": aurc(abstainer.out_of_fold_scores, abstainer.right),
        "curve": curve,
        "evaluation": [
            {"wished": point["wished"], **coverage_and_risk(scores, right, point["threshold"])}
            for point in curve
        ],
    }


def _unit(X: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-12)
    return unit


def _count_up_to(reference: NDArray[Any], values: NDArray[Any]) -> NDArray[np.float64]:
    """Return how many of the reference are no higher than each value."""
    return np.searchsorted(np.sort(reference), values, side="right").astype(np.float64)


def _harmonic_mean(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    return 2 * first * second / (first + second)
