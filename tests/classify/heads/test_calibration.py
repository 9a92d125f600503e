"""One temperature, from out-of-fold scores alone."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.utils.estimator_checks import parametrize_with_checks

from headstart.classify.heads.calibration import (
    TemperatureScaled,
    class_scores,
    fit_temperature,
    out_of_fold_scores,
    softmax,
)


def overlapping(each=60, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(classes), each)
    return rng.normal(0, 1.2, (len(y), 6)) + 1.5 * np.eye(classes, 6)[y], y


def folds_of(n, count=4):
    rows = np.arange(n)
    return [(rows[rows % count != f], rows[rows % count == f]) for f in range(count)]


@parametrize_with_checks([TemperatureScaled(LogisticRegression()), TemperatureScaled(GaussianNB())])
def test_it_keeps_scikit_learns_contract(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


def test_no_row_is_scored_by_a_fit_that_has_seen_it():
    class Recorder(GaussianNB):
        def fit(self, X, y):
            self.seen = {row.tobytes() for row in X}
            return super().fit(X, y)

        def predict_proba(self, X):
            assert not self.seen & {row.tobytes() for row in X}
            return super().predict_proba(X)

    X, y = overlapping()
    assert out_of_fold_scores(Recorder(), X, y, folds_of(len(y))).shape == (len(y), 3)


def test_the_temperature_is_the_one_with_the_least_log_loss():
    X, y = overlapping()
    scores = 7 * out_of_fold_scores(LogisticRegression(), X, y, folds_of(len(y)))
    best = fit_temperature(scores, y)
    losses = [log_loss(y, softmax(scores / t)) for t in (0.8 * best, best, 1.25 * best)]
    assert losses[1] == min(losses)
    assert log_loss(y, softmax(scores)) > losses[1]


@given(st.floats(0.05, 20))
def test_scores_times_a_number_have_that_many_times_the_temperature(factor):
    X, y = overlapping()
    scores = np.asarray(X[:, :3])
    plain = fit_temperature(scores, y)
    assert fit_temperature(factor * scores, y) == pytest.approx(factor * plain, rel=1e-3)


def test_without_an_error_out_of_fold_it_gets_no_surer():
    scores = 3.0 * np.eye(3)[[0, 1, 2, 0]]
    assert fit_temperature(scores, np.array([0, 1, 2, 0])) == 1.0


def test_a_class_that_a_fold_has_not_seen_is_the_least_likely_there():
    X, y = overlapping(each=10)
    lacking, others = np.flatnonzero(y != 2), np.flatnonzero(y == 2)
    folds = [(lacking, others), (np.arange(len(y)), lacking)]
    scores = out_of_fold_scores(GaussianNB(), X, y, folds)
    assert np.isfinite(scores).all()
    unseen = scores[y == 2]
    assert (unseen[:, 2] <= unseen.min(axis=1)).all()


def test_two_classes_have_the_same_probabilities_by_either_column():
    X, y = overlapping(classes=2)
    fitted = LogisticRegression().fit(X, y)
    np.testing.assert_allclose(softmax(class_scores(fitted, X)), fitted.predict_proba(X))
