"""The nearest rows are those that brute force finds, whatever the blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.classify.search import nearest as module
from headstart.classify.search.nearest import mean_direction, nearest


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@given(st.integers(1, 60), st.integers(1, 70), st.integers(1, 20), st.integers(0, 2**20))
def test_blocks_find_what_brute_force_finds(count, top, block, seed):
    random = np.random.default_rng(seed)
    rows = unit(random.integers(1, 4, (count, 3)).astype(float))  # with many ties
    query = unit(random.normal(size=(1, 3)))[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        found, scores = nearest(rows, count, query, top)
    expected = np.array([row @ query for row in rows])
    assert np.abs(scores - np.sort(expected)[::-1][:top]).max() < 1e-6
    assert len(set(found.tolist())) == min(top, count)


def test_equal_scores_come_in_the_order_of_rows():
    rows, _ = nearest(np.ones((5, 1), np.float32), 5, np.ones(1, np.float32), 3)
    assert rows.tolist() == [0, 1, 2]


def test_rows_left_out_are_not_found():
    rows, _ = nearest(np.eye(3, dtype=np.float32), 3, np.ones(3, np.float32), 9, without={1})
    assert rows.tolist() == [0, 2]


def test_the_mean_of_opposites_is_no_direction_and_no_error():
    assert mean_direction(np.array([[1, 0], [-1, 0]], np.float32)).tolist() == [0, 0]
