"""Linear heads that share what folds and candidates have in common, and can be fitted in blocks.

Each is a scikit-learn classifier. Each also solves for one fold of a
:class:`~headstart.classify.heads.linear.shared_sums.Problem`, which holds the sums that all candidates of a
head, and several heads, need: so that a strength more costs a small system of equations,
or a few steps from the solution of its neighbour, and no pass over the features.
"""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model._base import LinearClassifierMixin

from ....documented import Documented
from ..checked import checked
from ..training_rows import row_weights
from .lbfgs import Loss, Weights, logistic_loss, minimise, squared_hinge_loss
from .shared_sums import Fold, Problem

FLOOR = 1e-3  # of a centroid's spread, in root mean squares of all features


class LinearHead(Documented, LinearClassifierMixin, BaseEstimator):
    """What the linear heads have in common.

    Attributes
    ----------
    coef_ : ndarray, shape (k, d), or (1, d) for two classes
        Weights of the features.
    intercept_ : ndarray, shape (k,) or (1,)
        Added to the scores.
    classes_ : ndarray, shape (k,)
        Class labels, sorted.
    n_iter_ : int
        Steps that fitting took.
    """

    rotates: ClassVar[bool] = True  # predicts the same in any orthonormal basis
    starts: ClassVar[bool] = False  # goes down from weights that are known
    strength: ClassVar[str]  # the parameter that says how much is regularised

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit to features (n, d) and labels (n,)."""
        features, labels, index = checked(self, X, y, dtype=[np.float64, np.float32])
        rows = features.astype(np.float32, copy=False)
        problem = Problem(rows, index, [], rotate=self.rotates, weights=row_weights(self, labels))
        solved = self.solve(problem.whole, problem.spanned.scale)
        if not solved.converged:
            warnings.warn(f"{type(self).__name__} stopped early", ConvergenceWarning, stacklevel=2)
        self.n_iter_ = solved.steps
        spanned = problem.spanned
        kernel = spanned.back(solved.kernel) / spanned.scale
        return self.place(np.unique(labels), kernel, solved.bias - spanned.mean @ kernel)

    def place(self, classes: NDArray[Any], kernel: NDArray[Any], bias: NDArray[Any]) -> Self:
        """Take weights (d, m) and biases (m,) that were solved for elsewhere."""
        self.classes_ = classes
        self.n_features_in_ = len(kernel)
        self.coef_, self.intercept_ = np.ascontiguousarray(kernel.T), bias
        return self

    def solve(self, fold: Fold, unit: float, start: Weights | None = None) -> Weights:
        """Return the weights for the training rows of a fold.

        Parameters
        ----------
        fold : Fold
            Of a problem with as many columns as ``fold.columns``.
        unit : float
            The penalty is on the weights of the problem's features times this number.
        start : Weights, optional
            Close to what is looked for, where the head goes down step by step.
        """
        raise NotImplementedError


class LogisticHead(LinearHead):
    """Multinomial logistic regression with an L2 penalty; logistic for two classes.

    The problem and the parameters are those of scikit-learn's ``LogisticRegression``.

    Parameters
    ----------
    C : float
        Weight of the loss against the penalty, over 0: small is strong.
    class_weight : ``"balanced"``, dict or None
        Weights of the classes in the loss.
    tol : float
        Stop when no weights can lower the objective by more than this share of it.
    max_iter : int
        Steps at most.

    Examples
    --------
    >>> LogisticHead().fit([[0.0], [1.0]], ["cat", "dog"]).predict([[0.2], [0.9]]).tolist()
    ['cat', 'dog']
    """

    starts = True
    strength = "C"

    def __init__(
        self, C: float = 1.0, class_weight: Any = None, tol: float = 1e-7, max_iter: int = 1000
    ) -> None:
        self.C = C
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter

    def solve(self, fold: Fold, unit: float, start: Weights | None = None) -> Weights:
        """Go down from ``start``, or from 0."""
        begin = (fold.zero if start is None else start).moved(-fold.mean)
        loss, strength = self._loss(), self.C * unit**2
        weights = minimise(fold.rows, loss, strength, begin, self.tol, self.max_iter)
        return weights.moved(fold.mean)

    def _loss(self) -> Loss:
        return logistic_loss


class HingeHead(LogisticHead):
    """Linear support vector machine: squared hinge loss, each class against the rest.

    As scikit-learn's ``LinearSVC``, but for the intercept, which is not penalised. The parameters
    are those of :class:`LogisticHead`.

    Examples
    --------
    >>> HingeHead().fit([[0.0], [1.0]], ["cat", "dog"]).predict([[0.2], [0.9]]).tolist()
    ['cat', 'dog']
    """

    def _loss(self) -> Loss:
        return squared_hinge_loss


class RidgeHead(LinearHead):
    """Least squares to +1 and -1 with an L2 penalty.

    The problem and the parameters are those of scikit-learn's ``RidgeClassifier``.

    Parameters
    ----------
    alpha : float
        Weight of the penalty, over 0: large is strong.
    class_weight : ``"balanced"``, dict or None
        Weights of the classes in the loss.

    Examples
    --------
    >>> RidgeHead().fit([[0.0], [1.0]], ["cat", "dog"]).predict([[0.2], [0.9]]).tolist()
    ['cat', 'dog']
    """

    strength = "alpha"

    def __init__(self, alpha: float = 1.0, class_weight: Any = None) -> None:
        self.alpha = alpha
        self.class_weight = class_weight

    def solve(self, fold: Fold, unit: float, start: Weights | None = None) -> Weights:
        """Solve the normal equations, made of sums."""
        del start
        from scipy.linalg import solve

        sums = fold.moments
        total = sums.counts.sum()
        mean = sums.sums.sum(axis=0) / total
        share = sums.counts / total
        signs = 2 * share - 1  # mean of the targets
        towards = 2 * (sums.sums - np.outer(sums.counts, mean))
        if fold.columns == 1:
            signs, towards = signs[1:], towards[1:]
        gram = sums.gram - total * np.outer(mean, mean)
        gram[np.diag_indices_from(gram)] += self.alpha / unit**2
        kernel = solve(gram, towards.T, assume_a="pos")
        return Weights(kernel, signs - mean @ kernel)


class DiscriminantHead(LinearHead):
    """Linear discriminant analysis with a covariance shrunk towards a multiple of the identity.

    As scikit-learn's ``LinearDiscriminantAnalysis(solver="lsqr", shrinkage=...)``; after
    Ledoit & Wolf 2004, https://doi.org/10.1016/S0047-259X(03)00096-4.

    Parameters
    ----------
    shrinkage : float
        Share of the identity, over 0 to 1.

    Examples
    --------
    >>> X, y = [[0.0], [0.1], [1.0], [1.1]], ["cat", "cat", "dog", "dog"]
    >>> DiscriminantHead().fit(X, y).predict([[0.2], [0.9]]).tolist()
    ['cat', 'dog']
    """

    strength = "shrinkage"

    def __init__(self, shrinkage: float = 0.5) -> None:
        self.shrinkage = shrinkage

    def solve(self, fold: Fold, unit: float, start: Weights | None = None) -> Weights:
        """Solve with the covariance within classes, made of sums."""
        from scipy.linalg import solve

        del unit, start  # the covariance brings its own
        sums = fold.moments
        counts = np.maximum(sums.counts, 1)
        means = sums.sums / counts[:, None]
        covariance = (sums.gram - (means * counts[:, None]).T @ means) / counts.sum()
        spread = np.trace(covariance) / fold.dimension
        covariance *= 1 - self.shrinkage
        covariance[np.diag_indices_from(covariance)] += max(self.shrinkage * spread, FLOOR**4)
        kernel = solve(covariance, means.T, assume_a="pos")
        bias = np.log(counts / counts.sum()) - 0.5 * np.einsum("kr,rk->k", means, kernel)
        return Weights(kernel, bias).single() if fold.columns == 1 else Weights(kernel, bias)


class CentroidHead(LinearHead):
    """Nearest shrunken centroid: each feature in units of its spread within classes.

    Tibshirani et al. 2002, https://doi.org/10.1073/pnas.082099299.

    Parameters
    ----------
    shrink_threshold : float
        Standard errors by which each class mean moves towards the overall mean.

    Examples
    --------
    >>> X, y = [[0.0], [0.1], [1.0], [1.1]], ["cat", "cat", "dog", "dog"]
    >>> CentroidHead().fit(X, y).predict([[0.2], [0.9]]).tolist()
    ['cat', 'dog']
    """

    rotates = False
    strength = "shrink_threshold"

    def __init__(self, shrink_threshold: float = 0.0) -> None:
        self.shrink_threshold = shrink_threshold

    def solve(self, fold: Fold, unit: float, start: Weights | None = None) -> Weights:
        """Shrink the class means."""
        del unit, start  # the spreads bring their own
        sums = fold.class_sums
        counts = np.maximum(sums.counts, 1)
        total, classes = counts.sum(), len(counts)
        means, overall = sums.sums / counts[:, None], sums.sums.sum(axis=0) / total
        within = sums.squares - np.einsum("k,kd->d", counts, means**2)
        spread = np.sqrt(np.maximum(within, 0) / max(total - classes, 1))
        spread = np.maximum(spread + np.median(spread), FLOOR)
        error = np.sqrt(np.maximum(1 / counts - 1 / total, 0))[:, None] * spread
        error[error == 0] = FLOOR
        away = (means - overall) / error
        away = np.sign(away) * np.maximum(np.abs(away) - self.shrink_threshold, 0)
        centroids = overall + error * away
        kernel = (centroids / spread**2).T
        bias = np.log(counts / total) - 0.5 * (centroids**2 / spread**2).sum(axis=1)
        return Weights(kernel, bias).single() if fold.columns == 1 else Weights(kernel, bias)
