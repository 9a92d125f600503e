"""Folds that part no group, samples of very many rows."""

import numpy as np

from headstart.classify.data import folds as data_folds
from headstart.classify.data.folds import make_folds, sample


def test_folds_of_many_rows_are_stratified_and_part_no_group(monkeypatch):
    monkeypatch.setattr(data_folds, "MANY", 100)
    y = np.repeat(np.arange(3), 200)
    groups = np.arange(600)
    groups[1:600:20] = groups[0:600:20]  # some pairs
    folds = make_folds(y, groups, 0)
    assert sorted(np.concatenate([held for _, held in folds])) == list(range(600))
    for train, held in folds:
        assert not set(groups[train]) & set(groups[held])
        assert np.abs(np.bincount(y[held]) - 40).max() <= 4


def test_few_rows_are_all_chosen_on():
    np.testing.assert_array_equal(sample(np.zeros(5, int), np.arange(5), 0), np.arange(5))


def test_of_very_many_rows_a_stratified_sample_of_whole_groups_is_drawn(monkeypatch):
    monkeypatch.setattr(data_folds, "MANY", 300)
    y = np.repeat(np.arange(3), [600, 300, 300])
    groups = np.arange(1200) // 2
    rows = sample(y, groups, 0)
    np.testing.assert_allclose(np.bincount(y[rows]), [150, 75, 75], atol=2)
    assert len(set(groups[rows])) * 2 == len(rows)
    np.testing.assert_array_equal(rows, sample(y, groups, 0))
    assert set(rows) != set(sample(y, groups, 1))
