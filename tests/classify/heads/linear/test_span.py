"""A change of basis loses nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.classify.heads.linear.span import span


@given(st.integers(2, 12), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_inner_products_and_scale_are_those_of_the_standardised_features(n, d, seed):
    X = np.random.default_rng(seed).normal(3, 2, (n, d)).astype(np.float32)
    spanned = span(X)
    centred = X.astype(np.float64) - X.mean(axis=0, dtype=np.float64)
    scale = np.sqrt(np.mean(centred**2)) or 1.0
    assert spanned.scale == pytest.approx(scale, rel=1e-3)
    assert spanned.Z.shape[1] <= max(1, min(n, d))
    expected = centred @ centred.T / scale**2
    np.testing.assert_allclose(
        spanned.Z @ spanned.Z.T, expected, atol=2e-3 * max(1.0, np.abs(expected).max())
    )


def test_weights_taken_back_give_the_scores_of_the_span():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(8, 30)).astype(np.float32)
    spanned = span(X)
    weights = rng.normal(size=(spanned.Z.shape[1], 3))
    scores = ((X - spanned.mean) / spanned.scale) @ spanned.back(weights)
    np.testing.assert_allclose(scores, spanned.Z @ weights, atol=1e-4)


def test_features_that_are_all_the_same_have_one_empty_axis():
    spanned = span(np.ones((4, 9), dtype=np.float32))
    assert spanned.Z.shape == (4, 1)
    assert np.abs(spanned.Z).max() < 1e-12


def test_the_basis_stays_where_it_must():
    assert span(np.eye(3, 9, dtype=np.float32), narrow=False).Z.shape == (3, 9)
