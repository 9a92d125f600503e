"""Folds that part no group, the rows that strengths are chosen on, the part held out."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headstart.classify.data.folds import choosing_rows, hold_out, make_folds


def test_folds_of_many_rows_are_stratified_and_part_no_group():
    y = np.repeat(np.arange(3), 200)
    groups = np.arange(600)
    groups[1:600:20] = groups[0:600:20]  # some pairs
    folds = make_folds(y, groups, 0, many=100)
    assert sorted(np.concatenate([held for _, held in folds])) == list(range(600))
    for train, held in folds:
        assert not set(groups[train]) & set(groups[held])
        assert np.abs(np.bincount(y[held]) - 40).max() <= 4


def test_few_rows_are_all_chosen_on():
    np.testing.assert_array_equal(choosing_rows(np.zeros(5, int), np.arange(5), 0), np.arange(5))


def test_of_very_many_rows_a_stratified_sample_of_whole_groups_is_drawn():
    y = np.repeat(np.arange(3), [600, 300, 300])
    groups = np.arange(1200) // 2
    rows = choosing_rows(y, groups, 0, many=300)
    np.testing.assert_allclose(np.bincount(y[rows]), [150, 75, 75], atol=2)
    assert len(set(groups[rows])) * 2 == len(rows)
    np.testing.assert_array_equal(rows, choosing_rows(y, groups, 0, many=300))
    assert set(rows) != set(choosing_rows(y, groups, 1, many=300))


def test_held_out_images_never_share_a_group_with_the_trained_ones():
    y, groups = np.arange(60) % 3, np.arange(60) // 2
    train, held = hold_out(y, groups, 0)
    assert sorted([*train, *held]) == list(range(60))
    assert not set(groups[train]) & set(groups[held])
    assert 4 <= len(held) <= 12


@given(st.lists(st.integers(0, 40), min_size=2, max_size=6), st.integers(0, 9))
def test_no_class_gives_more_than_a_quarter_and_a_small_one_nothing(counts, seed):
    y = np.repeat(np.arange(len(counts)), counts)
    groups = np.random.default_rng(seed).integers(0, max(1, len(y)), len(y))
    _, held = hold_out(y, groups, seed)
    for label, count in enumerate(counts):
        assert (y[held] == label).sum() <= (0 if count < 5 else max(1, count / 4))


def test_a_class_of_three_does_not_halve_what_the_others_train_on():
    y = np.repeat([0, 1], [80, 3])
    _, held = hold_out(y, np.arange(83), 0)
    assert y[held].tolist() == [0] * 10
