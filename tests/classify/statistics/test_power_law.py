"""The power law: found where it holds, an interval that covers, nothing beyond twice the data."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.classify.statistics.power_law import EXPONENTS, extrapolate, fit_power_law

SIZES = np.array([2.0, 4, 8, 16, 32, 64])


@given(st.floats(0, 0.2), st.floats(0.05, 1), st.floats(0.1, 1.5))
def test_a_law_that_holds_is_found(a, b, c):
    errors = a + b * SIZES**-c
    law = fit_power_law(SIZES, errors, np.full(6, 0.01))
    assert [law.error(size) for size in SIZES] == pytest.approx(errors, abs=2e-4)
    assert law.error(128) == pytest.approx(a + b * 128**-c, abs=1e-3)


@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_more_data_never_hurt_by_the_law_and_errors_stay_over_0(errors):
    law = fit_power_law(SIZES, np.array(errors), np.full(6, 0.02))
    told = [law.error(size) for size in (*SIZES, 128)]
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(told))
    assert told[-1] >= 0
    assert EXPONENTS[0] <= law.c <= EXPONENTS[1]


def _drawn(random, n=400, subsets=5):
    truth = 0.02 + 0.5 * SIZES**-0.7
    luck = random.random((1, n))  # an image that is hard at one size is hard at all
    return [np.repeat(luck >= e, 1 if at == 5 else subsets, axis=0) for at, e in enumerate(truth)]


def test_the_interval_of_the_gain_covers_what_doubling_brings():
    truth = 0.5 * (64**-0.7 - 128**-0.7)
    covered = 0
    for seed in range(10):
        hits = _drawn(np.random.default_rng(seed))
        told = extrapolate(SIZES, hits, np.full(6, 0.01), seed)
        covered += told["gain_ci95"][0] <= truth <= told["gain_ci95"][1]
        assert told["images_a_class"] == 128
        assert 0 <= told["gain"] <= 1
    assert covered >= 8


def test_the_same_seed_gives_the_same_interval():
    hits = _drawn(np.random.default_rng(0))
    first, again = (extrapolate(SIZES, hits, np.full(6, 0.01), 3) for _ in range(2))
    assert first == again


def test_the_largest_size_is_checked_against_the_smaller_ones_where_they_suffice():
    hits = _drawn(np.random.default_rng(0))
    check = extrapolate(SIZES, hits, np.full(6, 0.01), 0)["check"]
    assert check["images_a_class"] == 64
    assert check["observed"] == hits[-1].mean()
    assert abs(check["predicted"] - check["observed"]) < 0.03
    assert extrapolate(SIZES[2:], hits[2:], np.full(4, 0.01), 0)["check"] is None
