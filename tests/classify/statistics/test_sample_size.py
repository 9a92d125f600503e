"""How many images tell a difference, and which difference so many tell."""

import numpy as np
import pytest
from scipy import stats

from headstart.classify.statistics.sample_size import chance_to_tell, detectable, images_needed


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


@pytest.mark.parametrize(("n", "differing", "difference"), [(272, 0.05, 0.02), (60, 0.3, 0.2)])
def test_the_chance_to_tell_is_how_often_the_exact_test_does(n, differing, difference):
    better, worse = (differing + difference) / 2, (differing - difference) / 2
    draws = np.random.default_rng(0).multinomial(n, [worse, better, 1 - differing], size=20_000)
    p = stats.binom.cdf(draws[:, :2].min(axis=1), draws[:, :2].sum(axis=1), 0.5) * 2
    assert chance_to_tell(n, differing, difference) == pytest.approx((p < 0.05).mean(), abs=0.01)


def test_what_is_detectable_is_found_four_times_of_five():
    told = detectable(272, 0.05)
    assert chance_to_tell(272, 0.05, told["difference"]) == pytest.approx(0.8, abs=1e-3)
    assert told["chance_of_two_points"] == chance_to_tell(272, 0.05, 0.02)
    assert detectable(2720, 0.05)["difference"] < told["difference"]


def test_too_few_images_tell_nothing():
    assert detectable(5, 0.2)["difference"] is None
