"""LogME is the largest Gaussian evidence; centroids are judged on images they have not seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from headstart.classify.data.folds import make_folds
from headstart.classify.fit.transferability import centroid_hits, evidence, log_me


def gaussian(X, target, alpha, beta):
    """Return log N(target; 0, X Xᵀ / α + I / β), written out."""
    covariance = X @ X.T / alpha + np.eye(len(X)) / beta
    return multivariate_normal.logpdf(target, cov=covariance)


def decomposed(X, target):
    left, singular, _ = np.linalg.svd(X, full_matrices=False)
    projected = (left.T @ target) ** 2
    return singular**2, projected, target @ target - projected.sum(), len(X)


def draw(n, d, seed):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    return rng.normal(size=(n, d)) + 0.7 * y[:, None], y


@given(st.integers(2, 12), st.integers(1, 20), st.floats(0.01, 100), st.floats(0.01, 100))
def test_the_evidence_is_the_marginal_likelihood_of_the_labels(n, d, alpha, beta):
    X, y = draw(n, d, seed=n * d)
    got = evidence(*decomposed(X, y.astype(float)), alpha, beta)
    assert got == pytest.approx(gaussian(X, y, alpha, beta), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("n", "d"), [(40, 5), (30, 60)])
def test_the_fixed_point_finds_the_largest_evidence(n, d):
    X, y = draw(n, d, seed=3)
    targets = np.stack([y == 0, y == 1]).astype(float)
    best = [
        -minimize(
            lambda logs, t=target: -gaussian(X, t, *np.exp(logs)), [0.0, 0.0], method="Nelder-Mead"
        ).fun
        for target in targets
    ]
    assert log_me(X, y) == pytest.approx(np.mean(best) / n, abs=1e-3)


def test_the_unit_of_the_features_does_not_matter():
    X, y = draw(50, 8, seed=1)
    assert log_me(1000 * X, y) == pytest.approx(log_me(X, y), abs=1e-3)


def test_features_that_tell_classes_apart_score_higher_than_noise():
    X, y = draw(60, 8, seed=0)
    noise, _ = draw(60, 8, seed=2)
    noise = np.random.default_rng(4).permutation(noise)
    assert log_me(X, y) > log_me(noise, y)
    folds = make_folds(y, np.arange(60), 0)
    assert centroid_hits(X, y, folds) > centroid_hits(noise, y, folds)


def test_features_of_nothing_but_zeros_have_a_finite_score():
    assert np.isfinite(log_me(np.zeros((20, 4)), np.arange(20) % 2))


def test_perfect_features_have_a_finite_score():
    y = np.arange(20) % 2
    assert np.isfinite(log_me(np.eye(2)[y], y))


def test_a_centroid_never_sees_the_image_it_judges():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 400)), np.arange(40) % 2  # seen images would all be hits
    assert centroid_hits(X, y, make_folds(y, np.arange(40), 0)) < 32
