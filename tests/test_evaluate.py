"""Figures that a statistician accepts, against independent ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from headstart.classify.evaluate import (
    evaluate,
    expected_calibration_error,
    paired_test,
    wilson,
)


def test_wilson_is_the_formula_of_the_paper():
    hits, n, z = 264, 272, 1.959963984540054
    p = hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    np.testing.assert_allclose(wilson(hits, n), (middle - half, middle + half), rtol=1e-9)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_stays_within_0_and_1_and_holds_the_share(case):
    hits, n = case
    low, high = wilson(hits, n)
    assert 0 <= low <= hits / n <= high <= 1
    assert high > low


def pair(both, only_first, only_second, neither):
    first = [True] * (both + only_first) + [False] * (only_second + neither)
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return np.array(first), np.array(second)


@pytest.mark.parametrize(("b", "c"), [(3, 14), (0, 5), (10, 10), (1, 0)])
def test_mcnemar_is_the_exact_binomial_test_of_the_images_that_differ(b, c):
    test = paired_test(*pair(200, b, c, 20))
    tail = binom.cdf(min(b, c), b + c, 0.5)
    assert test.mcnemar_p == pytest.approx(min(1.0, 2 * tail))
    assert (test.only_first, test.only_second) == (b, c)
    assert test.difference == pytest.approx((c - b) / (220 + b + c))


def test_the_bootstrap_interval_is_close_to_the_normal_one_where_that_holds():
    b, c, n = 60, 120, 1000
    test = paired_test(*pair(700, b, c, n - 700 - b - c))
    half = 1.96 * np.sqrt((b + c) / n - ((c - b) / n) ** 2) / np.sqrt(n)
    expected = ((c - b) / n - half, (c - b) / n + half)
    np.testing.assert_allclose(test.difference_ci95, expected, atol=0.002)


def test_no_differing_image_is_not_no_uncertainty():
    low, high = paired_test(*pair(90, 0, 0, 10)).difference_ci95
    assert low == pytest.approx(-high)
    assert high == pytest.approx(1 - 0.025 ** (1 / 100))


def test_calibration_error_of_a_case_by_hand():
    # Bin (0.6, 0.667]: 0.65 sure, right once of two. Bin (0.867, 0.933]: 0.9 sure, always right.
    probabilities = np.array([[0.65, 0.35], [0.65, 0.35], [0.9, 0.1], [0.9, 0.1]])
    truth = np.array([0, 1, 0, 0])
    by_hand = 0.5 * abs(0.5 - 0.65) + 0.5 * abs(1.0 - 0.9)
    assert expected_calibration_error(truth, probabilities) == pytest.approx(by_hand)


def test_an_evaluation_holds_the_figures_of_a_case_by_hand():
    probabilities = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.9, 0.1]])
    result = evaluate(np.array([0, 1, 1, 0]), probabilities, "test")
    assert (result.n, result.accuracy, result.split) == (4, 0.75, "test")
    assert result.macro_f1 == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert result.log_loss == pytest.approx(-np.log([0.8, 0.4, 0.7, 0.9]).mean())
