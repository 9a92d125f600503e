"""What a search may cost is counted, not clocked."""

import pytest

from headstart.classify.finetune.budget import (
    Cost,
    find_level,
    half,
    seconds_ahead,
    share_of_epochs,
    within,
)
from headstart.errors import OptionError


def costs(*epochs):
    return [Cost(float(epoch), 0.0, {}) for epoch in epochs]


def test_the_costliest_half_goes_on_where_nothing_is_known_yet():
    assert seconds_ahead(costs(7, 1, 1, 1), (1, 2, 7)) == 10 + 2 * 8 + 7 * 7 + 8 * 7


def test_what_candidates_share_counts_once():
    shared = [Cost(1.0, 0.0, {"maps": 100.0}), Cost(1.0, 0.0, {"maps": 100.0})]
    apart = [Cost(1.0, 0.0, {"maps": 100.0}), Cost(1.0, 0.0, {"others": 100.0})]
    assert seconds_ahead(apart, (7,)) - seconds_ahead(shared, (7,)) == 100


def test_a_candidate_alone_runs_the_last_round_only():
    assert seconds_ahead(costs(7), (1, 2, 7)) == 7 * 7 + 8 * 7


def test_what_a_budget_does_not_bear_is_left_out_but_never_all():
    cheap, dear = costs(1, 100)
    rows = [cheap, dear, cheap]
    assert within(rows, lambda cost: cost, (2, 7), 60) == ([cheap, cheap], [dear])
    assert within([dear], lambda cost: cost, (2, 7), 60) == ([dear], [])


def test_many_images_want_fewer_epochs_and_a_small_budget_bears_fewer():
    level = find_level("1")
    assert level.fitted(1.0, lambda rungs: 0).rungs == (2, 5)
    assert level.fitted(share_of_epochs(6000), lambda rungs: 0).rungs == (1, 2)
    assert level.fitted(1.0, lambda rungs: 15 * rungs[-1]).rungs == (1, 3)
    assert level.fitted(1.0, lambda rungs: 1e9).rungs[-1] == 2


@pytest.mark.parametrize(
    ("budget", "rungs"),
    [("quick", (2, 5)), ("0.1", (2, 5)), ("standard", (2, 8)), ("90", (3, 6, 15))],
)
def test_minutes_take_the_rounds_of_the_largest_level_they_hold(budget, rungs):
    assert find_level(budget).rungs == rungs


@pytest.mark.parametrize("budget", ["much", "0", "-3", "nan", "inf"])
def test_a_budget_that_is_none_is_refused(budget):
    with pytest.raises(OptionError, match="expected quick, standard, thorough or minutes over 0"):
        find_level(budget)


def test_half_of_some_is_never_none():
    assert [half(count) for count in (1, 2, 3, 8)] == [1, 1, 2, 4]
