"""Heads as TensorFlow operations: features to scores, whose softmax are the probabilities.

Each function repeats what the fitted estimator computes, in float32. All that it needs are
the arrays that fitting set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import Normalizer
from sklearn.svm import SVC

from ...extract.backbone.loading import load_tensorflow
from ..data.columns import TapSelector
from ..heads.dense import DenseHead
from ..heads.linear.estimators import LinearHead
from ..heads.scaler import PowerScaler
from ..heads.table import row_of

TINY = float(np.finfo(np.float32).tiny)  # the floor of calibrate.class_scores
SAME = 1e-6  # a distance of rows of length 1 below which float32 cannot tell them apart


def is_native(estimator: Any) -> bool:
    """Tell whether a calibrated classifier's head is among those below."""
    return _row(estimator) is not None


def scaled_features(estimator: Any, X: Any) -> Any:
    """Return what the head sees (n, d') of features (n, d): layers chosen, views merged, scaled."""
    tf = load_tensorflow()
    steps = estimator.estimator_.named_steps
    if "taps" in steps:
        X = _taps(tf, steps["taps"], X)
    return _SCALERS[type(steps["scale"])](tf, steps["scale"], X)


def scores(estimator: Any, X: Any) -> Any:
    """Return scores (n, k), float32, of scaled features (n, d'), divided by the temperature."""
    tf = load_tensorflow()
    row = _row(estimator)
    if row is None:
        raise TypeError(f"{type(estimator.estimator_['head']).__name__} is not native")
    scores_ = row(tf, estimator.estimator_["head"], X)
    return scores_ / np.float32(estimator.temperature_)


def _row(estimator: Any) -> Callable[[Any, Any, Any], Any] | None:
    row = row_of(estimator)
    return None if row is None or row.operations is None else _OPERATIONS[row.operations]


def _taps(tf: Any, taps: TapSelector, X: Any) -> Any:
    widths = taps.widths or (X.shape[1] // taps.views,)
    views = tf.reshape(X, (-1, taps.views, sum(widths)))
    merged = views[:, 0] if taps.merge == "first" else tf.reduce_mean(views, axis=1)
    ends = np.cumsum((0, *widths))
    taken = range(len(widths)) if taps.layers is None else taps.layers
    parts = [merged[:, ends[layer] : ends[layer + 1]] for layer in taken]
    if len(parts) == 1:
        return parts[0]
    return tf.concat([part / _f(s) for part, s in zip(parts, taps.scales_, strict=True)], axis=1)


def _power(tf: Any, scaler: PowerScaler, X: Any) -> Any:
    if scaler.power != 1:
        size = tf.abs(X)
        roots = tf.sqrt(size) if scaler.power == 0.5 else tf.pow(size, _f(scaler.power))
        X = tf.sign(X) * roots
    return (X - _f(scaler.mean_)) / _f(scaler.scale_)


def _unit_length(tf: Any, scaler: Normalizer, X: Any) -> Any:
    del scaler
    length = tf.sqrt(tf.reduce_sum(X * X, axis=1, keepdims=True))
    return X / tf.where(length > 0, length, 1.0)


_SCALERS: dict[type, Callable[[Any, Any, Any], Any]] = {
    PowerScaler: _power,
    Normalizer: _unit_length,
}


def _linear(tf: Any, head: LinearHead, X: Any) -> Any:
    decision = tf.matmul(X, _f(head.coef_.T)) + _f(head.intercept_)
    return _both(tf, decision) if len(head.classes_) == 2 else decision


def _dense(tf: Any, head: DenseHead, X: Any) -> Any:
    kernel, bias, top_kernel, top_bias = map(_f, head.weights_)
    hidden = tf.nn.relu(tf.matmul(X, kernel) + bias)
    return tf.matmul(hidden, top_kernel) + top_bias


def _mlp(tf: Any, head: MLPClassifier, X: Any) -> Any:
    *hidden, last = zip(map(_f, head.coefs_), map(_f, head.intercepts_), strict=True)
    for kernel, bias in hidden:
        X = tf.nn.relu(tf.matmul(X, kernel) + bias)
    logits = tf.matmul(X, last[0]) + last[1]
    return _floored(tf, tf.nn.log_softmax(_both(tf, logits) if logits.shape[1] == 1 else logits))


def _gaussian(tf: Any, head: GaussianNB, X: Any) -> Any:
    away = tf.square(X[:, None, :] - _f(head.theta_)) / _f(head.var_)  # (n, k, d)
    fixed = np.log(head.class_prior_) - 0.5 * np.log(2 * np.pi * head.var_).sum(axis=1)
    return _floored(tf, tf.nn.log_softmax(_f(fixed) - 0.5 * tf.reduce_sum(away, axis=2)))


def _neighbours(tf: Any, head: KNeighborsClassifier, X: Any) -> Any:
    """Vote by inverse distance; of rows of length 1 the largest product is the nearest."""
    rows, k = _f(head._fit_X), len(head.classes_)  # noqa: SLF001 - it has no other name
    near = tf.math.top_k(tf.matmul(X, rows, transpose_b=True), k=head.n_neighbors).indices
    # Not from the product, where the digits of small distances cancel out.
    between = X[:, None, :] - tf.gather(rows, near)
    distance = tf.sqrt(tf.reduce_sum(between * between, axis=2))  # (n, neighbours)
    # A training image that is this one outweighs all others.
    weight = 1.0 / tf.where(distance < SAME, SAME**2, distance)
    own = tf.gather(_f(np.eye(k)[head._y]), near)  # noqa: SLF001 - (n, neighbours, k)
    votes = tf.reduce_sum(own * weight[:, :, None], axis=1)
    shares = votes / tf.reduce_sum(votes, axis=1, keepdims=True)
    return tf.math.log(tf.maximum(shares, TINY))


def _svm(tf: Any, head: SVC, X: Any) -> Any:
    """One against one, then votes with the sum of confidences to part ties.

    As ``sklearn.utils.multiclass._ovr_decision_function``.
    """
    vectors = head.support_vectors_
    # |x - v|² = |x|² - 2 x·v + |v|²: a matrix product, not n × v × d differences.
    square = tf.reduce_sum(X * X, axis=1, keepdims=True) - 2 * tf.matmul(X, _f(vectors.T))
    distance = tf.maximum(square + _f((vectors**2).sum(axis=1)), 0.0)
    kernel = tf.exp(-_f(head._gamma) * distance)  # noqa: SLF001 - "scale" as a number
    k = len(head.classes_)
    if k == 2:
        return _both(tf, tf.matmul(kernel, _f(head.dual_coef_.T)) + _f(head.intercept_))
    pairs = [(i, j) for i in range(k) for j in range(i + 1, k)]
    decision = tf.matmul(kernel, _f(_pair_weights(head, pairs))) + _f(head.intercept_)
    first = np.array([np.eye(k)[i] for i, _ in pairs])
    second = np.array([np.eye(k)[j] for _, j in pairs])
    lost = tf.cast(decision < 0, tf.float32)
    votes = tf.matmul(lost, _f(second)) + tf.matmul(1 - lost, _f(first))
    confidence = tf.matmul(decision, _f(first - second))
    return votes + confidence / (3 * (tf.abs(confidence) + 1))


def _pair_weights(head: SVC, pairs: list[tuple[int, int]]) -> NDArray[np.float64]:
    """Return what each support vector counts in each pair of classes, (v, pairs).

    libsvm keeps k - 1 weights a vector: those of class c against the others, without c.
    """
    ends = np.cumsum((0, *head.n_support_))
    weights = np.zeros((ends[-1], len(pairs)))
    for pair, (i, j) in enumerate(pairs):
        of_i, of_j = slice(ends[i], ends[i + 1]), slice(ends[j], ends[j + 1])
        weights[of_i, pair] = head.dual_coef_[j - 1, of_i]
        weights[of_j, pair] = head.dual_coef_[i, of_j]
    return weights


# By the name in a head's row, column ``operations``.
_OPERATIONS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "linear": _linear,
    "dense": _dense,
    "mlp": _mlp,
    "gaussian": _gaussian,
    "neighbours": _neighbours,
    "svm": _svm,
}


def _both(tf: Any, second: Any) -> Any:
    """Return scores (n, 2) of the second class's (n, 1): the first's are 0."""
    return tf.concat([tf.zeros_like(second), second], axis=1)


def _floored(tf: Any, logarithms: Any) -> Any:
    return tf.maximum(logarithms, np.float32(np.log(TINY)))


def _f(array: Any) -> NDArray[np.float32]:
    return np.asarray(array, dtype=np.float32)
