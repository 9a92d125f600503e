"""An index finds what brute force finds, grows with the photographs, and forgets those that go."""

import sys

import numpy as np
import pytest

from headstart.classify.data.near_index import open_index
from headstart.errors import DataError, OptionError

usearch = pytest.importorskip("usearch", reason="headstart[index] is not installed")


def collection(count, seed=0):
    random = np.random.default_rng(seed)
    rows = np.abs(random.normal(size=(count, 16))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows, [random.bytes(32) for _ in range(count)]


def test_the_nearest_are_those_of_brute_force(tmp_path, heard):
    rows, digests = collection(300)
    index = open_index(tmp_path / "i.usearch", rows, digests)
    found = index.nearest(rows[:50], 10)
    expected = np.argsort(-(rows[:50] @ rows.T), axis=1)[:, :10]
    shared = [len(np.intersect1d(a, b)) for a, b in zip(found, expected, strict=True)]
    assert np.mean(shared) > 9.5
    assert np.mean(found[:, 0] == np.arange(50)) > 0.95
    assert index.recall(rows[:50]) > 0.95
    assert "of the 20 nearest are found" in heard.notes[-1]


def test_a_file_is_read_again_and_grows_and_nothing_is_written_without_need(tmp_path, heard):
    rows, digests = collection(200)
    path = tmp_path / "i.usearch"
    open_index(path, rows[:150], digests[:150])
    node = path.stat().st_ino
    assert open_index(path, rows[:150], digests[:150]).nearest(rows[[7]], 1).tolist() == [[7]]
    assert path.stat().st_ino == node
    # In another order: photographs are known by their bytes.
    order = np.random.default_rng(1).permutation(200)
    grown = open_index(path, rows[order], [digests[row] for row in order])
    assert path.stat().st_ino != node
    assert np.mean(grown.nearest(rows[order], 1).ravel() == np.arange(200)) > 0.95


def test_what_is_gone_is_not_found(tmp_path):
    rows, digests = collection(60)
    open_index(tmp_path / "i.usearch", rows, digests)
    left = open_index(tmp_path / "i.usearch", rows[:40], digests[:40])
    found = left.nearest(rows[40:], 60)
    assert found.shape == (20, 60)
    assert set(found.ravel().tolist()) == {*range(40), -1}


def test_copies_are_found_once_by_their_first_row(tmp_path):
    rows, digests = collection(20)
    rows, digests = np.concatenate([rows, rows]), digests * 2
    found = open_index(tmp_path / "i.usearch", rows, digests).nearest(rows[[25]], 3)
    assert found[0, 0] == 5
    assert found.max() < 20


def test_one_photograph_is_an_index(tmp_path):
    rows, digests = collection(1)
    assert open_index(tmp_path / "i.usearch", rows, digests).nearest(rows, 5).tolist() == [[0]]


def test_another_file_is_left_alone(tmp_path):
    path = tmp_path / "i.usearch"
    path.write_bytes(b"photographs" * 100)
    with pytest.raises(DataError, match=r"i.usearch is no index .*: delete it"):
        open_index(path, *collection(5))
    assert path.read_bytes() == b"photographs" * 100


def test_without_the_extra_the_pip_command_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "usearch.index", None)  # as if it were not there
    with pytest.raises(OptionError, match=r"pip install 'headstart\[index\]'"):
        open_index(tmp_path / "i.usearch", *collection(5))
