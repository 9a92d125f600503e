"""Damage, accidents and strangers in the cache's folder: no wrong value ever comes out."""

import errno
import hashlib
import socket

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.cache import DamagedSegmentError, FeatureSpec, FeatureStore, segment
from headstart.errors import CacheError

SPEC = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 8), "crop", "none", "float32", 1)
DIGESTS = [hashlib.sha256(bytes([i])).digest() for i in range(6)]
FEATURES = np.random.default_rng(0).random((6, 4), dtype=np.float32)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the bytes of a good segment."""
    return (
        FeatureStore(tmp_path_factory.mktemp("whole"), SPEC).append(DIGESTS, FEATURES).read_bytes()
    )


@pytest.fixture(scope="module")
def lay(tmp_path_factory):
    """Make a cache that holds one segment of these bytes."""

    def make(data):
        cache = tmp_path_factory.mktemp("cache")
        path = cache / SPEC.folder / f"{'a' * 32}.h5"
        path.parent.mkdir()
        path.write_bytes(data)
        return cache, path

    return make


def read_what_is_there(cache):
    """Return (digest, row) pairs; whatever is wrong must be a CacheError."""
    try:
        opened = FeatureStore(cache, SPEC)
        held = [digest for digest in DIGESTS if digest in opened]
        assert len(opened) == len(held), "a digest that nobody wrote"
        return list(zip(held, opened.read(held), strict=True)) if held else []
    except CacheError:
        return []


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_anywhere_lets_no_wrong_value_through(whole, lay, data):
    damaged = bytearray(whole)
    damaged[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    cache, _ = lay(damaged)
    for digest, row in read_what_is_there(cache):
        np.testing.assert_array_equal(row, FEATURES[DIGESTS.index(digest)])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_file_cut_short_anywhere_lets_no_wrong_value_through(whole, lay, data):
    cache, _ = lay(whole[: data.draw(st.integers(0, len(whole) - 1))])
    for digest, row in read_what_is_there(cache):
        np.testing.assert_array_equal(row, FEATURES[DIGESTS.index(digest)])


@pytest.mark.parametrize("data", [b"", b"no HDF5 at all", b"\x89HDF\r\n\x1a\n" + b"\0" * 500])
def test_a_file_that_is_no_segment_is_set_aside_and_told(lay, data):
    cache, path = lay(data)
    opened = FeatureStore(cache, SPEC)
    assert len(opened) == 0
    assert f"segment {path} is damaged (" in str(opened.damaged[0])
    assert path.with_name(path.name + ".damaged").read_bytes() == data
    assert not FeatureStore(cache, SPEC).damaged, "told once"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda f: f.pop("features"), "digest or features missing"),
        (lambda f: f.pop("digest"), "digest or features missing"),
        (lambda f: f.attrs.pop("format_version"), "format_version"),
        (
            lambda f: (f.pop("digest"), f.create_dataset("digest", data=np.zeros((5, 32), "u1"))),
            r"\(5, 32\) digests for 6 rows",
        ),
    ],
)
def test_a_segment_that_lacks_something_is_set_aside_with_the_reason(whole, lay, change, reason):
    cache, path = lay(whole)
    with h5py.File(path, "r+") as file:
        change(file)
    opened = FeatureStore(cache, SPEC)
    assert len(opened) == 0
    with pytest.raises(DamagedSegmentError, match=reason):
        raise opened.damaged[0]


def test_one_damaged_segment_leaves_the_others_readable(whole, lay):
    cache, path = lay(whole[:200])
    opened = FeatureStore(cache, SPEC)
    opened.append(DIGESTS[:2], FEATURES[:2])
    np.testing.assert_array_equal(FeatureStore(cache, SPEC).read(DIGESTS[:2]), FEATURES[:2])
    assert not path.exists()


def test_a_segment_deleted_between_opening_and_reading_counts_as_damaged(whole, lay):
    cache, path = lay(whole)
    opened = FeatureStore(cache, SPEC)
    path.unlink()
    with pytest.raises(DamagedSegmentError, match="its 6 rows will be extracted again"):
        opened.read(DIGESTS)
    assert len(opened) == 0


def test_segments_that_vanish_and_appear_are_seen_at_refresh(whole, lay):
    cache, path = lay(whole)
    opened = FeatureStore(cache, SPEC)
    path.unlink()
    FeatureStore(cache, SPEC).append(DIGESTS[:1], FEATURES[:1])
    opened.refresh()
    assert len(opened) == 1
    np.testing.assert_array_equal(opened.read(DIGESTS[:1]), FEATURES[:1])


def test_an_image_that_is_not_held_is_a_key_error(whole, lay):
    cache, _ = lay(whole)
    with pytest.raises(KeyError):
        FeatureStore(cache, SPEC).read([b"?" * 32])


@pytest.mark.parametrize("name", [".tmp", ".notes.tmp", ".a.HOST.pid.tmp", ".a.HOST..tmp"])
def test_temporary_files_of_other_programs_are_left_alone(whole, lay, name):
    cache, path = lay(whole)
    other = path.with_name(name.replace("HOST", socket.gethostname()))
    other.write_bytes(b"not ours")
    assert len(FeatureStore(cache, SPEC)) == 6
    assert other.read_bytes() == b"not ours"


@pytest.mark.parametrize("step", ["builtins.open", "os.fsync", "os.replace"])
def test_a_full_disk_at_any_step_keeps_what_was_committed_and_leaves_no_temporary(
    whole, lay, monkeypatch, step
):
    cache, path = lay(whole)
    opened = FeatureStore(cache, SPEC)

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    new = hashlib.sha256(b"new").digest()
    with monkeypatch.context() as patched:
        patched.setattr(step, full)
        with pytest.raises(
            CacheError, match=r"cannot write .*No space left on device.*--cache DIR"
        ):
            opened.append([new], FEATURES[:1])
    assert new not in opened
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    np.testing.assert_array_equal(opened.read(DIGESTS), FEATURES)


def test_a_cache_that_is_a_file_is_told(tmp_path):
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(CacheError, match=r"cannot write to the cache .*/cache/fake-"):
        FeatureStore(tmp_path / "cache", SPEC).append(DIGESTS, FEATURES)


@pytest.mark.parametrize(
    ("digests", "features"),
    [
        (DIGESTS[:2], FEATURES),
        (DIGESTS, FEATURES[0]),
        ([], FEATURES[:0]),
    ],
)
def test_shapes_that_do_not_fit_are_refused(tmp_path, digests, features):
    with pytest.raises(ValueError, match="digests do not fit features"):
        FeatureStore(tmp_path, SPEC).append(digests, features)
    assert not list(tmp_path.iterdir())


def test_rows_are_right_when_reading_goes_block_by_block(tmp_path, monkeypatch):
    monkeypatch.setattr(segment, "READ_BYTES", 3 * 16)
    monkeypatch.setattr(segment, "CHUNK_BYTES", 2 * 16)
    opened = FeatureStore(tmp_path, SPEC)
    opened.append(DIGESTS, FEATURES)
    order = [5, 0, 3, 3, 1]
    np.testing.assert_array_equal(opened.read([DIGESTS[i] for i in order]), FEATURES[order])
