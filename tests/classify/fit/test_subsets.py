"""Nested subsets: each within the next, no group parted, each class with its share."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headstart.classify.fit.subsets import nested_subsets, subset_targets


@st.composite
def groups_of_images(draw):
    """Classes of any size, copies among them, perhaps of two classes in one group."""
    n = draw(st.integers(4, 60))
    y = np.array([0, 0, 1, 1, *draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))])
    y = np.unique(y, return_inverse=True)[1]
    return y, np.array(draw(st.lists(st.integers(0, 40), min_size=len(y), max_size=len(y))))


@given(groups_of_images(), st.integers(0, 5))
def test_subsets_are_nested_part_no_group_and_reach_their_sizes(drawn, seed):
    y, groups = drawn
    targets = subset_targets(np.bincount(y))
    subsets = nested_subsets(y, groups, targets, seed)
    before = set()
    for target, rows in zip(targets, subsets, strict=True):
        assert before <= set(rows)
        before = set(rows)
        assert (np.bincount(y[rows], minlength=len(target)) >= target).all()
        assert not set(groups[rows]) & set(np.delete(groups, rows))
    assert subsets[-1].tolist() == list(range(len(y)))


@given(st.lists(st.integers(2, 300), min_size=2, max_size=8), st.integers(2, 3))
def test_sizes_double_up_to_all_and_every_class_keeps_its_share(counts, least):
    counts = np.array(counts)
    targets = subset_targets(counts, least)
    assert targets[-1].tolist() == counts.tolist()
    for smaller, larger in pairwise(targets):
        assert smaller.sum() < larger.sum()
        free = smaller > least
        assert (np.abs(larger[free] - 2 * smaller[free]) <= 2).all()
    assert (targets[0] >= np.minimum(counts, least)).all()
