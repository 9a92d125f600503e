"""Tests of two classifiers on the same images, against statsmodels and scipy."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from headstart.classify.statistics.paired_tests import (
    difference_interval,
    exact_mcnemar,
    holm,
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
    assert test["mcnemar_p"] == pytest.approx(min(1.0, 2 * tail))
    assert (test["only_first"], test["only_second"]) == (b, c)
    assert test["difference"] == pytest.approx((c - b) / (220 + b + c))


@pytest.mark.parametrize(
    "table", [(200, 3, 14, 20), (101, 59, 121, 33), (5, 0, 6, 2), (0, 4, 4, 0), (1, 1, 0, 9)]
)
def test_mcnemar_is_that_of_statsmodels(table):
    both, b, c, neither = table
    theirs = mcnemar([[both, b], [c, neither]], exact=True).pvalue
    assert paired_test(*pair(both, b, c, neither))["mcnemar_p"] == pytest.approx(theirs)


@pytest.mark.parametrize("seed", range(8))
def test_holm_is_that_of_statsmodels(seed):
    rng = np.random.default_rng(seed)
    p_values = rng.choice([0.0, 1.0, *rng.random(20) ** 3], size=1 + 3 * seed)  # with ties
    theirs = multipletests(p_values, method="holm")[1]
    np.testing.assert_allclose(holm(p_values), theirs, atol=1e-12)


def score_interval(b, c, n):
    """Return Tango's interval by brute force: the score with the likeliest share, on a grid."""
    differences = np.linspace(-0.9999, 0.9999, 40_001)
    kept = []
    for difference in differences:
        low, high = max(0.0, -difference), (1 - difference) / 2
        shares = np.linspace(low + 1e-9, high - 1e-9, 400)  # of "only the first"
        rest = 1 - 2 * shares - difference
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = b * np.log(shares) + c * np.log(shares + difference)
            logs += (n - b - c) * np.log(rest)
        share = shares[np.nanargmax(logs)]
        variance = n * (2 * share + difference - difference**2)
        kept.append(abs(c - b - n * difference) <= 1.959964 * np.sqrt(variance))
    return differences[kept].min(), differences[kept].max()


@pytest.mark.parametrize(("b", "c", "n"), [(10, 25, 272), (3, 17, 60), (40, 20, 160)])
def test_the_interval_is_the_score_test_turned_inside_out(b, c, n):
    expected = score_interval(b, c, n)
    np.testing.assert_allclose(difference_interval(b, c, n), expected, atol=2e-3)


def test_the_interval_is_that_of_the_literature():
    # Bentur et al. 2009, in Fagerland, Lydersen & Laake 2014, table II: -0.517 to -0.026.
    # McNemar's exact p of these 21 pairs is 0.07, so ours reaches to 0.
    assert exact_mcnemar(1, 7) == pytest.approx(0.0703, abs=1e-4)
    assert difference_interval(7, 1, 21) == (pytest.approx(-0.517, abs=5e-4), 0.0)
    # Mirrored: the second better.
    assert difference_interval(1, 7, 21) == (0.0, pytest.approx(0.517, abs=5e-4))


@pytest.mark.parametrize("n", [40, 272])
def test_interval_and_exact_test_never_contradict_each_other(n):
    for b in range(31):
        for c in range(min(31, n - b + 1)):
            low, high = difference_interval(b, c, n)
            assert -1 <= low <= (c - b) / n <= high <= 1
            assert (exact_mcnemar(b, c) < 0.05) == (not low <= 0 <= high), (b, c)


def test_none_against_five_is_not_told_apart():
    assert difference_interval(0, 5, 272)[0] == 0.0
    assert difference_interval(0, 6, 272)[0] > 0


def test_no_differing_image_is_not_no_uncertainty():
    low, high = difference_interval(0, 0, 100)
    assert low == pytest.approx(-high)
    assert high == pytest.approx(1.96**2 / (100 + 1.96**2), rel=1e-3)


def test_one_always_right_and_one_never_is_told_apart():
    low, high = difference_interval(0, 50, 50)
    assert (high, low > 0.8) == (1.0, True)


def test_the_interval_holds_its_level():
    rng = np.random.default_rng(0)
    worse, better, n = 0.02, 0.05, 272
    drawn = rng.multinomial(n, [worse, better, 1 - worse - better], size=400)
    bounds = [difference_interval(b, c, n) for b, c, _ in drawn]
    held = np.mean([low <= better - worse <= high for low, high in bounds])
    assert 0.92 <= held <= 0.98
