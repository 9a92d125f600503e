"""Segments: what was appended is what is read, and nothing else."""

import hashlib
import os
import pickle
import socket
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.cache import FeatureSpec, FeatureStore, segment
from headstart.cache import store as store_module
from headstart.cache.compact import compact
from headstart.cache.spec_folder import segment_paths
from headstart.cache.statindex import COARSE_TICK_NS, FINE_TICK_NS, at_rest
from headstart.errors import CacheError

SPEC = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 8), "crop", "none", "float32", 1)


def key(number):
    return hashlib.sha256(number.to_bytes(4, "big")).digest()


@given(st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=9, unique=True), max_size=6))
def test_a_store_reads_like_the_dict_of_what_was_appended(tmp_path_factory, batches):
    folder = tmp_path_factory.mktemp("store")
    store, model = FeatureStore(folder, SPEC), {}
    for batch in batches:
        rows = np.array([[n, n / 3] for n in batch], dtype=np.float32)
        store.append([key(n) for n in batch], rows)
        for n, row in zip(batch, rows, strict=True):
            model.setdefault(n, row)
    for reader in (store, FeatureStore(folder, SPEC)):
        assert len(reader) == len(model)
        wanted = [*model, *list(model)[::-2]]
        if wanted:
            expected = np.array([model[n] for n in wanted])
            np.testing.assert_array_equal(reader.read([key(n) for n in wanted]), expected)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("backbone", "other"),
        ("weights_sha256", "1" * 64),
        ("layers", ("top", "next")),
        ("pooling", "max"),
        ("input_size", (8, 9)),
        ("resize", "pad"),
        ("preprocessing", "caffe"),
        ("precision", "float16"),
        ("decoder", 2),
    ],
)
def test_changing_any_part_of_the_spec_changes_its_id(field, value):
    from dataclasses import replace

    other = replace(SPEC, **{field: value})
    assert other.id != SPEC.id
    assert FeatureSpec.from_json(other.to_json()) == other


def test_values_that_are_not_finite_are_refused(tmp_path):
    store = FeatureStore(tmp_path, SPEC)
    with pytest.raises(CacheError, match="NaN or infinity: refused"):
        store.append([key(1)], np.array([[np.nan]], dtype=np.float32))
    assert not list(tmp_path.rglob("*.h5"))


def test_temporary_files_of_the_dead_are_removed_and_of_the_living_kept(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    folder = tmp_path / SPEC.folder
    folder.mkdir()
    host = socket.gethostname()
    old = folder / f".{'a' * 32}.{host}.{dead.pid}.tmp"
    live = folder / f".{'b' * 32}.{host}.{os.getpid()}.tmp"
    elsewhere = folder / f".{'c' * 32}.another.host.1.tmp"
    for path in (old, live, elsewhere):
        path.write_bytes(b"half")
    assert len(FeatureStore(tmp_path, SPEC)) == 0
    assert (old.exists(), live.exists(), elsewhere.exists()) == (False, True, True)


def test_two_writers_need_no_lock(tmp_path):
    one, two = FeatureStore(tmp_path, SPEC), FeatureStore(tmp_path, SPEC)
    one.append([key(1)], np.ones((1, 2), dtype=np.float32))
    two.append([key(1), key(2)], np.ones((2, 2), dtype=np.float32))
    one.refresh()
    assert len(one) == 2


@pytest.mark.parametrize(
    ("age", "whole_seconds", "trusted"),
    [
        (FINE_TICK_NS - 1, False, False),
        (FINE_TICK_NS + 1, False, True),
        (COARSE_TICK_NS - 1, True, False),
        (COARSE_TICK_NS + 1, True, True),
    ],
)
def test_a_file_that_may_change_unseen_is_not_trusted(age, whole_seconds, trusted):
    changed = 1_700_000_000_000_000_000 + (0 if whole_seconds else 5)
    stat = type("Stat", (), {"st_mtime_ns": changed, "st_ctime_ns": changed})()
    assert at_rest(stat, changed + age) is trusted


def test_half_precision_on_the_disk_reads_back_as_float32_to_5e_4(tmp_path):
    rows = np.random.default_rng(0).gamma(0.5, 10, (50, 40)).astype(np.float32)
    store = FeatureStore(tmp_path, replace(SPEC, storage="float16"))
    path = store.append([key(n) for n in range(50)], rows)
    again = store.read([key(n) for n in range(50)])
    assert again.dtype == np.float32
    np.testing.assert_allclose(again, rows, rtol=5e-4, atol=1e-7)
    whole = FeatureStore(tmp_path, SPEC).append([key(n) for n in range(50)], rows)
    named = len(',"storage":"float16"')  # in the spec, which is an attribute
    assert path.stat().st_size == whole.stat().st_size - 50 * 40 * 2 + named


def test_a_number_too_large_for_half_precision_is_refused_and_nothing_written(tmp_path):
    store = FeatureStore(tmp_path, replace(SPEC, storage="float16"))
    with pytest.raises(CacheError, match=r"a feature of 7e\+04 does not fit float16.*65|6\.55e"):
        store.append([key(1)], np.array([[1, 70000]], dtype=np.float32))
    assert not list(tmp_path.rglob("*.h5"))


def test_the_widths_of_layers_come_back_and_must_add_up(tmp_path):
    spec = replace(SPEC, layers=("a", "b"), views=("original", "flip"))
    store = FeatureStore(tmp_path, spec)
    store.append([key(1)], np.zeros((1, 6), dtype=np.float32), widths=(1, 2))
    again = FeatureStore(tmp_path, spec)
    assert (again.widths, again.dimension) == ((1, 2), 6)
    with pytest.raises(ValueError, match=r"2 views of \(1, 2\) columns do not fit \(1, 8\)"):
        store.append([key(2)], np.zeros((1, 8), dtype=np.float32), widths=(1, 2))


def test_rows_far_apart_are_read_without_what_lies_between(tmp_path, monkeypatch):
    monkeypatch.setattr(segment, "READ_BYTES", 64)  # eight rows at a time
    store = FeatureStore(tmp_path, SPEC)
    rows = np.arange(200, dtype=np.float32).reshape(100, 2)
    store.append([key(n) for n in range(100)], rows)
    wanted = [99, 3, 50, 4, 3]
    np.testing.assert_array_equal(store.read([key(n) for n in wanted]), rows[wanted])


def test_a_store_travels_to_another_process(tmp_path):
    store = FeatureStore(tmp_path, SPEC)
    store.append([key(1)], np.ones((1, 2), dtype=np.float32))
    again = pickle.loads(pickle.dumps(store))
    again.append([key(2)], np.zeros((1, 2), dtype=np.float32))
    assert again.read([key(1), key(2)]).tolist() == [[1, 1], [0, 0]]


def test_a_listing_taken_while_segments_are_merged_loses_no_row(tmp_path, monkeypatch):
    writer = FeatureStore(tmp_path, SPEC)
    for number in range(3):
        writer.append([key(number)], np.full((1, 2), number, np.float32))
    reader = FeatureStore(tmp_path, SPEC)
    compact(tmp_path)
    list_now, listings = segment_paths, []

    def torn(folder):
        """Too early for the merged segment, too late for those that it replaced."""
        listings.append(folder)
        return [] if len(listings) == 1 else list_now(folder)

    monkeypatch.setattr(store_module, "segment_paths", torn)
    reader.refresh(anew=True)
    np.testing.assert_array_equal(reader.read([key(2), key(0)])[:, 0], [2, 0])
    assert len(listings) == 2


def test_rows_that_were_removed_are_gone_after_a_few_listings(tmp_path):
    store = FeatureStore(tmp_path, SPEC)
    store.append([key(0)], np.zeros((1, 2), np.float32)).unlink()
    store.refresh()
    assert key(0) not in store
