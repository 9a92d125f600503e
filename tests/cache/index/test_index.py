"""The index: what it says is what the segments hold, however it was made, lost or damaged."""

import hashlib
import os
import random
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.cache import FeatureSpec, FeatureStore, compact
from headstart.cache.compact import compact_spec
from headstart.cache.index import index as index_module
from headstart.cache.index import run
from headstart.cache.index.index import Index
from headstart.cache.index.run import read_whole_run, run_in_memory, to_digests, write_run
from headstart.cache.spec_folder import run_paths, segment_paths
from headstart.cache.verify import verify

SPEC = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 8), "crop", "none", "float32", 1)


def key(number):
    return hashlib.sha256(number.to_bytes(4, "big")).digest()


def rows_of(numbers):
    return np.array([[n, n / 3] for n in numbers], dtype=np.float32)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Let few segments make a run, and few runs a larger one."""
    monkeypatch.setattr(index_module, "TAIL_SEGMENTS", 2)
    monkeypatch.setattr(index_module, "TAIL_ROWS", 100)
    monkeypatch.setattr(index_module, "FAN", 2)
    monkeypatch.setattr(run, "FILLING", 3)
    monkeypatch.setattr(run, "BLOCK", np.dtype([("entries", run.ENTRY, (3,)), ("crc", "<u4")]))


def fill(cache, batches):
    store = FeatureStore(cache, SPEC)
    for batch in batches:
        store.append([key(n) for n in batch], rows_of(batch))
    return store


def check(cache, numbers):
    """Read all in a store that is opened now, and look for what is not there."""
    store = FeatureStore(cache, SPEC)
    np.testing.assert_array_equal(store.read([key(n) for n in numbers]), rows_of(numbers))
    assert len(store) == len(set(numbers))
    assert not store.holds([key(n) for n in range(10_000, 10_050)]).any()
    return store


BATCHES = st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=9, unique=True), max_size=12)


@given(BATCHES, st.lists(st.integers(0, 70), max_size=30))
def test_it_answers_like_a_table_of_all_keys(tmp_path_factory, batches, asked):
    cache = tmp_path_factory.mktemp("cache")
    store = fill(cache, batches)
    held = {n for batch in batches for n in batch}
    for reader in (store, FeatureStore(cache, SPEC)):
        assert reader.holds([key(n) for n in asked]).tolist() == [n in held for n in asked]
        assert reader.snapshot().count() == (sum(map(len, batches)), len(held))
        assert reader.digests() == {key(n) for n in held}


def test_few_runs_cover_many_segments_and_are_opened_instead_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(compact, "FAN", 1000)
    fill(tmp_path, [range(3 * n, 3 * n + 3) for n in range(65)])
    folder = tmp_path / SPEC.folder
    assert len(segment_paths(folder)) == 65
    assert len(run_paths(folder)) <= 7
    store = FeatureStore(tmp_path, SPEC)
    assert len(store.snapshot().tables) < 2, "the others are covered by runs"
    check(tmp_path, range(195))


def test_equal_first_bytes_do_not_confuse_it():
    digests = [bytes(8) + bytes([n]) * 24 for n in range(20)]
    table = np.frombuffer(b"".join(digests), np.uint8).reshape(20, 32)
    index = Index((), {"a"}, {"a": table})
    segments, rows = index.look_up([*digests, bytes(8) + b"?" * 24])
    assert rows[:20].tolist() == list(range(20))
    assert segments.tolist() == [0] * 20 + [-1]


def test_a_batch_costs_a_page_or_two_an_image(tmp_path, monkeypatch):
    monkeypatch.undo()
    table = np.random.default_rng(0).integers(0, 256, (100_000, 32), np.uint8)
    path = Index((), {"a"}, {"a": table}).write(tmp_path).path
    index = Index([run.open_run(path)], {"a"})
    pages = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda *args: pages.append(args) or pread(*args))
    _, rows = index.look_up([bytes(table[n]) for n in range(0, 100_000, 1000)])
    assert rows.tolist() == list(range(0, 100_000, 1000))
    assert len(pages) <= 102, "a page each, and where a key begins one the page before"
    assert {size for _, size, _ in pages} == {4096}


def test_an_index_that_is_deleted_is_made_again(tmp_path):
    fill(tmp_path, [range(5), range(5, 10), range(10, 15)])
    for path in run_paths(tmp_path / SPEC.folder):
        path.unlink()
    check(tmp_path, range(15))
    assert run_paths(tmp_path / SPEC.folder)


def test_one_that_vanishes_under_a_reader_is_no_matter(tmp_path):
    store = fill(tmp_path, [range(5), range(5, 10), range(10, 15)])
    for path in run_paths(tmp_path / SPEC.folder):
        path.unlink()
    np.testing.assert_array_equal(store.read([key(n) for n in range(15)]), rows_of(range(15)))
    store.refresh(anew=True)
    np.testing.assert_array_equal(store.read([key(n) for n in range(15)]), rows_of(range(15)))


def test_one_of_segments_that_are_gone_finds_nothing_and_is_removed(tmp_path):
    fill(tmp_path, [range(5), range(5, 10)])
    folder = tmp_path / SPEC.folder
    old = {path.name: path.read_bytes() for path in run_paths(folder)}
    assert old
    for path in segment_paths(folder):
        path.unlink()
    store = fill(tmp_path, [range(20, 25), range(25, 30)])
    assert not store.holds([key(n) for n in range(10)]).any()
    check(tmp_path, range(20, 30))
    assert not old.keys() & {path.name for path in run_paths(folder)}


def test_one_of_another_cache_finds_nothing(tmp_path):
    fill(tmp_path / "other", [range(5), range(5, 10)])
    fill(tmp_path / "own", [range(3), range(3, 6)])
    for path in run_paths(tmp_path / "other" / SPEC.folder):
        shutil.copy(path, tmp_path / "own" / SPEC.folder)
    store = check(tmp_path / "own", range(6))
    assert not store.holds([key(n) for n in range(6, 10)]).any()


def test_on_a_disk_that_cannot_be_written_it_is_kept_beside_the_cache(tmp_path, monkeypatch):
    fill(tmp_path, [range(5 * n, 5 * n + 5) for n in range(7)])
    folder = tmp_path / SPEC.folder
    for path in run_paths(folder):
        path.unlink()

    def refuse(*_args, **_kwargs):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(index_module, "replacing", refuse)
    store = check(tmp_path, range(35))
    assert not run_paths(folder)
    assert store.snapshot().runs
    assert all(run.path is None for run in store.snapshot().runs)
    assert sum(map(len, store.snapshot().tables.values())) < 10, "memory is bounded"


def test_a_run_that_tells_of_other_rows_is_found_out_and_made_again(tmp_path):
    fill(tmp_path, [range(5), range(5, 10)])
    folder = tmp_path / SPEC.folder
    (path,) = run_paths(folder)
    index = Index([run.open_run(path)], {segment.name for segment in segment_paths(folder)})
    (entries,) = index.sweep()
    entries["row"] = (entries["row"] + 1) % 5
    with open(path, "wb") as file:
        write_run(index.covered, [entries], file)
    assert read_whole_run(path) == 10, "it is whole: only the segments tell"
    check(tmp_path, range(10))
    assert path not in run_paths(folder)


@pytest.mark.parametrize("data", [b"", b"no index", bytes(5000)])
def test_a_file_that_is_no_run_is_found_and_made_again(tmp_path, data):
    fill(tmp_path, [range(5), range(5, 10)])
    (path,) = run_paths(tmp_path / SPEC.folder)
    path.write_bytes(data)
    assert [problem.path for problem in verify(tmp_path).problems] == [path]
    check(tmp_path, range(10))
    assert not verify(tmp_path).problems


def test_every_bit_of_500_is_found_and_costs_no_value(tmp_path):
    fill(tmp_path / "good", [range(5), range(5, 10)])
    (path,) = run_paths(tmp_path / "good" / SPEC.folder)
    whole = path.read_bytes()
    draw = random.Random(3)
    for position in draw.sample(range(8 * len(whole)), 500):
        flipped = bytearray(whole)
        flipped[position // 8] ^= 1 << position % 8
        path.write_bytes(flipped)
        (problem,) = verify(tmp_path / "good").problems
        assert problem.path == path, position
        check(tmp_path / "good", range(10))
        assert not verify(tmp_path / "good").problems, "it was made again"
        for other in run_paths(tmp_path / "good" / SPEC.folder):
            other.unlink()


def test_mending_removes_a_damaged_run(tmp_path):
    fill(tmp_path, [range(5), range(5, 10)])
    (path,) = run_paths(tmp_path / SPEC.folder)
    path.write_bytes(path.read_bytes()[:-1])
    assert len(verify(tmp_path, mend=True).problems) == 1
    assert not path.exists()
    assert not verify(tmp_path).problems


def test_compaction_leaves_one_run_of_what_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(compact, "MERGED_ROWS", 40)
    fill(tmp_path, [[*range(n, n + 12)] for n in range(0, 200, 8)])
    result = compact_spec(tmp_path / SPEC.folder, SPEC)
    assert result.rows == 204
    assert len(run_paths(tmp_path / SPEC.folder)) == 1
    check(tmp_path, range(204))
    assert FeatureStore(tmp_path, SPEC).snapshot().count() == (204, 204)


def test_segments_of_one_writer_merge_as_it_goes_and_each_row_is_written_few_times(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(compact, "FAN", 4)
    monkeypatch.setattr(compact, "MERGED_ROWS", 256)
    written = []
    write = compact.write_segment
    monkeypatch.setattr(
        compact, "write_segment", lambda *args: written.append(len(args[2])) or write(*args)
    )
    fill(tmp_path, [range(4 * n, 4 * n + 4) for n in range(200)])
    assert len(segment_paths(tmp_path / SPEC.folder)) < 20
    assert sum(written) <= 3 * 800
    check(tmp_path, range(800))


def test_what_several_writers_wrote_is_left_to_each(tmp_path, monkeypatch):
    monkeypatch.setattr(compact, "FAN", 2)
    for n in range(6):
        fill(tmp_path, [[n]])
    assert len(segment_paths(tmp_path / SPEC.folder)) == 6


@settings(max_examples=30)
@given(st.integers(0, 400), st.integers(1, 7))
def test_a_run_on_the_disk_reads_like_one_in_memory(tmp_path_factory, rows, segments):
    random_bytes = np.random.default_rng(rows)
    tables = {
        f"{n}": random_bytes.integers(0, 256, (rows + n, 32), np.uint8) for n in range(segments)
    }
    memory = Index((), tables, tables)
    path = memory.write(tmp_path_factory.mktemp("run")).path
    disk = Index([run.open_run(path)], tables)
    assert read_whole_run(path) == sum(map(len, tables.values()))
    assert sorted(disk.digests()) == sorted(memory.digests())
    digests = memory.digests()
    for there, here in zip(disk.look_up(digests), memory.look_up(digests), strict=True):
        np.testing.assert_array_equal(there, here)
    assert sorted(digests) == sorted(
        digest for table in tables.values() for digest in map(bytes, table)
    )
    assert to_digests(run_in_memory(tables).read(np.arange(0))["digest"]) == []
