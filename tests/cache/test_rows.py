"""Matrices on the disk give the rows of matrices in memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.cache import DamagedSegmentError, FeatureSpec, FeatureStore
from headstart.cache.rows import Spool, StoredRows, blocks, take

SPEC = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 8), "crop", "none", "float32", 1)


@pytest.fixture
def table(tmp_path):
    """Ten rows of three columns, in two segments, and the same on the disk."""
    X = np.arange(30, dtype=np.float32).reshape(10, 3)
    store = FeatureStore(tmp_path, SPEC)
    digests = [bytes([row]) * 32 for row in range(10)]
    store.append(digests[5:], X[5:])
    store.append(digests[:5], X[:5])
    return X, StoredRows(store, digests)


@pytest.mark.parametrize("rows", [slice(2, 7), slice(None), np.array([9, 0, 0, 4])])
def test_rows_come_in_the_order_asked_for(table, rows):
    X, stored = table
    np.testing.assert_array_equal(stored[rows], X[rows])
    np.testing.assert_array_equal(take(stored, rows)[:], take(X, rows))
    assert isinstance(take(stored, rows), StoredRows)


def test_they_have_the_shape_of_the_whole(table):
    X, stored = table
    assert (stored.shape, len(stored), stored.dtype) == (X.shape, len(X), X.dtype)


def test_damage_found_while_reading_is_told(table):
    _, stored = table
    for path in stored.folder.glob("*.h5"):
        data = bytearray(path.read_bytes())
        data[-200:] = bytes(200)
        path.write_bytes(data)
    with pytest.raises(DamagedSegmentError):
        stored[:]


def test_a_spool_gives_back_what_was_appended_and_leaves_nothing_behind(tmp_path):
    rows = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    spool = Spool((9, 4), tmp_path)
    for part in (rows[:2], rows[2:8], rows[8:]):
        spool.append(part)
    np.testing.assert_array_equal(spool[3:9], rows[3:9])
    np.testing.assert_array_equal(spool[:], rows)
    assert not list(tmp_path.iterdir())


@given(st.integers(1, 40), st.integers(1, 50), st.integers(4, 400))
def test_blocks_cover_each_row_once_within_their_size(n, d, limit):
    parts = list(blocks(np.empty((n, d), dtype=np.float32), limit))
    assert [row for part in parts for row in range(part.start, part.stop)] == list(range(n))
    assert all((part.stop - part.start) * d * 4 <= max(limit, d * 4) for part in parts)
