"""The unfitted estimator of each head, from a seed; what it needs is imported where it is made."""

from __future__ import annotations

from typing import Any


def centroid(_: int) -> Any:
    """Return nearest shrunken centroid."""
    from .linear.estimators import CentroidHead

    return CentroidHead()


def gaussian_nb(_: int) -> Any:
    """Return naive Bayes."""
    from sklearn.naive_bayes import GaussianNB

    return GaussianNB()


def knn(_: int) -> Any:
    """Return nearest neighbours that vote by inverse distance."""
    # On rows of length 1 the Euclidean order is the cosine's; trees do not help in a thousand
    # dimensions.
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(weights="distance", algorithm="brute")


def ridge(_: int) -> Any:
    """Return least squares."""
    from .linear.estimators import RidgeHead

    return RidgeHead()


def lda(_: int) -> Any:
    """Return shrunken discriminant analysis."""
    from .linear.estimators import DiscriminantHead

    return DiscriminantHead()


def logreg(_: int) -> Any:
    """Return logistic regression."""
    from .linear.estimators import LogisticHead

    return LogisticHead()


def linear_svm(_: int) -> Any:
    """Return linear support vectors."""
    from .linear.estimators import HingeHead

    return HingeHead()


def svm(seed: int) -> Any:
    """Return support vectors with a Gaussian kernel."""
    from sklearn.svm import SVC

    return SVC(random_state=seed)


def random_forest(seed: int) -> Any:
    """Return 300 trees."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(300, random_state=seed)


def mlp(seed: int) -> Any:
    """Return one hidden layer of scikit-learn's."""
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(256, max_iter=100, random_state=seed)


def dense(seed: int) -> Any:
    """Return one hidden layer of Keras'."""
    from .dense import DenseHead

    return DenseHead(random_state=seed)


def hist_gb(seed: int) -> Any:
    """Return boosted trees."""
    # A tenth of the features a split: a thousand correlated ones tell little more.
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=15, min_samples_leaf=5, max_features=0.1, random_state=seed
    )
