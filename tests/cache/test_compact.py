"""Compaction merges and drops repeated rows; readers and writers go on meanwhile."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.cache import FeatureSpec, FeatureStore, compact
from headstart.cache.compact import compact_spec
from headstart.cache.spec_folder import segment_paths
from headstart.cache.verify import verify

SPEC = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 8), "crop", "none", "float32", 1)
DIGESTS = [bytes([n]) * 32 for n in range(40)]
ROWS = np.random.default_rng(0).random((40, 4), dtype=np.float32)


def fill(cache, batches, spec=SPEC):
    store = FeatureStore(cache, spec)
    for batch in batches:
        store.append([DIGESTS[n] for n in batch], ROWS[list(batch)])
    return store


@given(
    st.lists(st.lists(st.integers(0, 39), min_size=1, max_size=9, unique=True), max_size=8),
    st.sampled_from([64, 200, 128 << 20]),
)
def test_what_is_read_afterwards_is_what_was_read_before(tmp_path_factory, batches, merged_bytes):
    cache = tmp_path_factory.mktemp("cache")
    held = sorted(fill(cache, batches).digests())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compact, "MERGED_BYTES", merged_bytes)
        result = compact_spec(cache / SPEC.folder, SPEC)
        assert compact_spec(cache / SPEC.folder, SPEC).duplicates == 0
    store = FeatureStore(cache, SPEC)
    assert sorted(store.digests()) == held
    assert (result.rows, verify(cache).rows) == (len(held), len(held))
    assert result.rows + result.duplicates == sum(map(len, batches))
    if held:
        wanted = ROWS[[digest[0] for digest in held]]
        np.testing.assert_array_equal(store.read(held), wanted)


def test_a_reader_whose_segments_were_merged_finds_its_rows(tmp_path):
    store = fill(tmp_path, [range(5), range(5, 10), range(3, 8)])
    (result,) = compact.compact(tmp_path)
    assert (result.before, result.after, result.rows, result.duplicates) == (3, 1, 10, 5)
    np.testing.assert_array_equal(store.read(DIGESTS[:10]), ROWS[:10])
    assert not store.damaged


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_reader_that_opens_while_segments_vanish_misses_no_row(tmp_path, monkeypatch, moment):
    fill(tmp_path, [range(5), range(5, 10)])
    listings = []
    listdir = os.listdir

    def racing(folder):
        names = listdir(folder)
        listings.append(names)
        if len(listings) == moment:  # listed, and not listed again or opened yet
            compact_spec(tmp_path / SPEC.folder, SPEC)
        return names

    monkeypatch.setattr(os, "listdir", racing)
    store = FeatureStore(tmp_path, SPEC)
    assert len(store) == 10
    np.testing.assert_array_equal(store.read(DIGESTS[:10]), ROWS[:10])


def test_two_compactions_at_once_lose_nothing(tmp_path, monkeypatch):
    fill(tmp_path, [range(5), range(5, 10), range(10, 15)])
    write = compact.write_segment
    nested = []

    def racing(*args):
        if not nested:  # the other one runs as a whole between our reading and our writing
            nested.append(True)
            compact_spec(tmp_path / SPEC.folder, SPEC)
        return write(*args)

    monkeypatch.setattr(compact, "write_segment", racing)
    compact_spec(tmp_path / SPEC.folder, SPEC)
    assert FeatureStore(tmp_path, SPEC).digests() == set(DIGESTS[:15])
    assert verify(tmp_path).rows == 30, "each wrote them all: harmless, until the next"
    compact_spec(tmp_path / SPEC.folder, SPEC)
    assert verify(tmp_path).rows == 15


def test_a_row_whose_first_copy_is_damaged_is_taken_from_the_other(tmp_path):
    fill(tmp_path, [range(5), range(5)])
    first = segment_paths(tmp_path / SPEC.folder)[0]
    data = bytearray(first.read_bytes())
    data[data.find(ROWS[2].tobytes())] ^= 1
    first.write_bytes(data)
    (result,) = compact.compact(tmp_path)
    assert [error.path for error in result.damaged] == [first]
    np.testing.assert_array_equal(FeatureStore(tmp_path, SPEC).read(DIGESTS[:5]), ROWS[:5])


def test_one_segment_without_repeated_rows_is_left_alone(tmp_path):
    fill(tmp_path, [range(5)])
    before = segment_paths(tmp_path / SPEC.folder)
    compact.compact(tmp_path)
    assert segment_paths(tmp_path / SPEC.folder) == before


def test_the_widths_and_storage_of_a_spec_stay(tmp_path):
    spec = replace(SPEC, layers=("a", "b"), storage="float16")
    store = FeatureStore(tmp_path, spec)
    for n in range(3):
        store.append([DIGESTS[n]], ROWS[n : n + 1], widths=(1, 3))
    before = store.read(DIGESTS[:3])
    compact.compact(tmp_path)
    again = FeatureStore(tmp_path, spec)
    assert again.widths == (1, 3)
    np.testing.assert_array_equal(again.read(DIGESTS[:3]), before)


def test_a_damaged_copy_costs_nothing_while_another_is_whole(tmp_path):
    store = fill(tmp_path, [range(5), range(5)])
    first = segment_paths(tmp_path / SPEC.folder)[0]
    data = bytearray(first.read_bytes())
    data[data.find(ROWS[2].tobytes())] ^= 1
    first.write_bytes(data)
    for reader in (FeatureStore(tmp_path, SPEC), store):
        np.testing.assert_array_equal(reader.read(DIGESTS[:5]), ROWS[:5])


def test_the_command_prints_its_contract(headstart, tmp_path):
    fill(tmp_path / "c", [range(5), range(5, 10), range(5)])
    status, out, _ = headstart("cache", "compact", "--cache", tmp_path / "c", "--json")
    (spec,) = json.loads(out)["specs"]
    assert status == 0
    assert (spec["segments_before"], spec["segments"], spec["rows"]) == (3, 1, 10)
    assert spec["duplicates"] == 5
    assert headstart("cache", "compact", "--cache", tmp_path / "c")[1].split()[-4:] == [
        *("1", "1", "10", "0"),
    ]
