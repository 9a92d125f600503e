"""Tests of two classifiers on the same images, against statsmodels and scipy."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from headstart.classify.statistics.paired_tests import (
    holm,
    images_needed,
    over_resplits,
    paired_test,
)


def pair(both, only_first, only_second, neither):
    first = [True] * (both + only_first) + [False] * (only_second + neither)
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return np.array(first), np.array(second)


@pytest.mark.parametrize(("b", "c"), [(3, 14), (0, 5), (10, 10), (1, 0)])
def test_mcnemar_is_the_exact_binomial_test_of_the_images_that_differ(b, c):
    test = paired_test(*pair(200, b, c, 20))
    tail = stats.binom.cdf(min(b, c), b + c, 0.5)
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


@pytest.mark.parametrize(
    "table", [(200, 3, 14, 20), (101, 59, 121, 33), (5, 0, 6, 2), (0, 4, 4, 0), (1, 1, 0, 9)]
)
def test_mcnemar_is_that_of_statsmodels(table):
    both, b, c, neither = table
    theirs = mcnemar([[both, b], [c, neither]], exact=True).pvalue
    assert paired_test(*pair(both, b, c, neither)).mcnemar_p == pytest.approx(theirs)


def test_the_interval_is_the_paired_bootstrap_of_scipy():
    first, second = pair(200, 10, 25, 37)
    change = second.astype(float) - first.astype(float)
    theirs = stats.bootstrap((change,), np.mean, method="percentile", rng=0).confidence_interval
    np.testing.assert_allclose(paired_test(first, second).difference_ci95, theirs, atol=0.004)


def test_one_always_right_and_one_never_is_told_apart():
    low, high = paired_test(np.zeros(50, bool), np.ones(50, bool)).difference_ci95
    assert (low, high) == (pytest.approx(0.025 ** (1 / 50)), 1.0)


@pytest.mark.parametrize("seed", range(8))
def test_holm_is_that_of_statsmodels(seed):
    rng = np.random.default_rng(seed)
    p_values = rng.choice([0.0, 1.0, *rng.random(20) ** 3], size=1 + 3 * seed)  # with ties
    theirs = multipletests(p_values, method="holm")[1]
    np.testing.assert_allclose(holm(p_values), theirs, atol=1e-12)


@pytest.mark.parametrize(("differing", "difference"), [(0.05, 0.02), (0.12, 0.05), (0.3, -0.1)])
def test_the_images_needed_find_the_difference_four_times_of_five(differing, difference):
    n = images_needed(differing, difference)
    rng = np.random.default_rng(0)
    better, worse = (differing + difference) / 2, (differing - difference) / 2
    draws = rng.multinomial(n, [worse, better, 1 - differing], size=2000)
    p = stats.binom.cdf(draws[:, :2].min(axis=1), draws[:, :2].sum(axis=1), 0.5) * 2
    assert (p < 0.05).mean() == pytest.approx(0.8, abs=0.05)


def test_fewer_images_tell_a_larger_difference():
    assert images_needed(0.1, 0.05) < images_needed(0.1, 0.02) == images_needed(0.1, -0.02)


@pytest.mark.parametrize(("differing", "difference"), [(0.1, 0.0), (0.01, 0.02), (1.5, 0.1)])
def test_what_cannot_be_a_difference_is_refused(differing, difference):
    with pytest.raises(ValueError, match="no difference of"):
        images_needed(differing, difference)


def test_resplits_by_hand():
    values, ratio = [0.02, 0.00, 0.03, 0.01], 0.25
    error = np.sqrt((1 / 4 + ratio) * np.var(values, ddof=1))
    told = over_resplits(values, ratio)
    half = stats.t.ppf(0.975, 3) * error
    assert (told.mean, told.count) == (pytest.approx(0.015), 4)
    assert told.ci95 == (pytest.approx(0.015 - half), pytest.approx(0.015 + half))
    assert told.p == pytest.approx(2 * stats.t.sf(0.015 / error, 3))


def test_without_shared_training_images_it_is_the_t_test():
    values = [0.02, 0.00, 0.03, 0.01, -0.01]
    assert over_resplits(values, 0.0).p == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_resplits_that_all_agree_leave_no_width():
    told = over_resplits([0.25, 0.25], 0.25)
    assert (told.ci95, told.p) == ((0.25, 0.25), 0.0)
    assert over_resplits([0.0, 0.0], 0.25).p == 1.0
