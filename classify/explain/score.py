"""One number for a class, of any head, that goes on telling where a probability is as good as 1."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..heads.calibration import class_scores
from ..saved.load import SavedModel
from ..saved.network_model import TunedModel

Score = Callable[[NDArray[np.float32]], NDArray[np.float64]]


def scorer(model: SavedModel, at: int) -> Score:
    """Return the function from features (n, d) to what one class has, (n,).

    It is the logarithm of the class's odds; of support vector machines with kernels, whose
    scores are votes, the mean margin against each other class; of trees and neighbours, which
    have nothing but votes, the probability.
    """
    if isinstance(model, TunedModel):
        upper, temperature = model.upper, model.temperature
        return lambda X: log_odds(upper.logits(X) / temperature, at)
    fitted, temperature = model.estimator.estimator_, model.estimator.temperature_
    before, head = fitted[:-1], fitted["head"]
    if getattr(head, "decision_function_shape", None) and len(model.classes) > 2:
        return _mean_margin(before, head, at, len(model.classes))
    if hasattr(head, "decision_function"):
        return lambda X: log_odds(class_scores(fitted, X) / temperature, at)
    if hasattr(head, "predict_joint_log_proba"):  # naive Bayes
        return lambda X: log_odds(head.predict_joint_log_proba(before.transform(X)), at)
    return lambda X: model.predict_proba(X)[:, at]


def _mean_margin(before: Any, head: Any, at: int, classes: int) -> Score:
    pairwise = copy.copy(head)
    pairwise.decision_function_shape = "ovo"
    first, second = np.triu_indices(classes, 1)  # the order of its columns; over 0 is the first's
    signs = (first == at).astype(float) - (second == at)

    def score(X: NDArray[np.float32]) -> NDArray[np.float64]:
        margins = pairwise.decision_function(before.transform(X))
        mean: NDArray[np.float64] = margins @ signs / (classes - 1)
        return mean

    return score


def log_odds(scores: NDArray[np.float64], at: int) -> NDArray[np.float64]:
    """Return the log odds (n,) of one class, of scores (n, k) whose softmax are probabilities.

    Examples
    --------
    >>> log_odds(np.log([[0.5, 0.25, 0.25]]), 0).round(6).tolist()
    [0.0]
    """
    from scipy.special import logsumexp

    odds: NDArray[np.float64] = scores[:, at] - logsumexp(np.delete(scores, at, axis=1), axis=1)
    return odds
