"""What a search may cost is counted, not clocked."""

from dataclasses import replace

import pytest

from headstart.classify.finetune.budget import (
    LEAST_EPOCHS,
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


def test_many_images_want_fewer_epochs_and_few_want_more():
    level = find_level("quick")
    assert level.fitted(1.0, costs(0)).rungs == (2, 8)
    assert level.fitted(share_of_epochs(6000), costs(0)).rungs == (1, 4)
    assert level.fitted(share_of_epochs(100), costs(0)).rungs == (4, 16)


def test_epochs_go_until_as_many_candidates_fit_as_a_verdict_takes():
    level = replace(find_level("quick"), minutes=1.0)
    rungs = level.fitted(1.0, costs(1, 1, 1, 1)).rungs
    assert rungs == (2, 8)
    assert seconds_ahead(costs(1, 1, 1, 1), rungs) <= 60
    rungs = level.fitted(1.0, costs(2, 2, 2, 2)).rungs
    assert LEAST_EPOCHS <= rungs[-1] < 8
    assert seconds_ahead(costs(2, 2, 2, 2), rungs) <= 60


def test_where_that_would_be_too_few_epochs_the_first_candidate_has_to_fit_alone():
    level = replace(find_level("quick"), minutes=1.0)
    rungs = level.fitted(1.0, costs(9, 9, 9, 9)).rungs
    assert rungs[-1] < LEAST_EPOCHS
    assert seconds_ahead(costs(9), rungs) <= 60
    assert level.fitted(1.0, costs(1e9)).rungs == (1, 1)


@pytest.mark.parametrize(
    ("budget", "rungs"),
    [("quick", (2, 8)), ("0.1", (2, 8)), ("standard", (2, 8)), ("90", (3, 6, 15))],
)
def test_minutes_take_the_rounds_of_the_largest_level_they_hold(budget, rungs):
    assert find_level(budget).rungs == rungs


@pytest.mark.parametrize("budget", ["much", "0", "-3", "nan", "inf"])
def test_a_budget_that_is_none_is_refused(budget):
    with pytest.raises(OptionError, match="expected quick, standard, thorough or minutes over 0"):
        find_level(budget)


def test_half_of_some_is_never_none():
    assert [half(count) for count in (1, 2, 3, 8)] == [1, 1, 2, 4]
