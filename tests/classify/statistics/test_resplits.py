"""A figure over resplits, by hand and against scipy."""

import numpy as np
import pytest
from scipy import stats

from headstart.classify.statistics.resplits import over_resplits


def test_resplits_by_hand():
    values, ratio = [0.02, 0.00, 0.03, 0.01], 0.25
    error = np.sqrt((1 / 4 + ratio) * np.var(values, ddof=1))
    repeated = over_resplits(values, ratio)
    half = stats.t.ppf(0.975, 3) * error
    assert (repeated.mean, repeated.count) == (pytest.approx(0.015), 4)
    assert repeated.ci95 == (pytest.approx(0.015 - half), pytest.approx(0.015 + half))
    assert repeated.p == pytest.approx(2 * stats.t.sf(0.015 / error, 3))


def test_without_shared_training_images_it_is_the_t_test():
    values = [0.02, 0.00, 0.03, 0.01, -0.01]
    assert over_resplits(values, 0.0).p == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_resplits_that_all_agree_leave_no_width():
    repeated = over_resplits([0.25, 0.25], 0.25)
    assert (repeated.ci95, repeated.p) == ((0.25, 0.25), 0.0)
    assert over_resplits([0.0, 0.0], 0.25).p == 1.0


def test_what_resplits_could_have_told_is_found_four_times_of_five():
    repeated = over_resplits([0.01, 0.0, 0.02, -0.01, 0.015, 0.005], 0.25)
    difference = repeated.detectable()["difference"]
    limit = stats.t.isf(0.025, 5)
    assert stats.nct.sf(limit, 5, difference / repeated.error) == pytest.approx(0.8, abs=0.03)
