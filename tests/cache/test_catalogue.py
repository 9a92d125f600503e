"""What a cache holds is read from its segments, and nothing is changed by looking."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from headstart.cache import FeatureSpec, FeatureStore
from headstart.cache.catalogue import specs
from headstart.errors import CacheError

SPEC = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 8), "crop", "none", "float32", 1)


def fill(cache, spec):
    return FeatureStore(cache, spec).append([b"a" * 32], np.ones((1, 2 * len(spec.views))))


def listing(folder):
    return sorted((path.name, path.stat().st_mtime_ns) for path in folder.rglob("*"))


def test_each_spec_is_listed_with_its_folder_and_the_disk_is_left_alone(tmp_path):
    other = replace(SPEC, backbone="another", views=("original", "flip"))
    segments = [fill(tmp_path, spec) for spec in (other, SPEC)]
    (tmp_path / "networks").mkdir()
    (tmp_path / "networks" / "fake.onnx").write_bytes(b"...")
    (tmp_path / "a file").write_bytes(b"")
    before = listing(tmp_path)
    assert specs(tmp_path) == [(other, segments[0].parent), (SPEC, segments[1].parent)]
    assert listing(tmp_path) == before


def test_a_damaged_segment_is_passed_over_for_its_neighbour(tmp_path):
    path = fill(tmp_path, SPEC)
    path.with_name("0" * 32 + ".h5").write_bytes(b"not HDF5")
    assert specs(tmp_path) == [(SPEC, path.parent)]
    path.unlink()
    assert specs(tmp_path) == []


@pytest.mark.parametrize("text", [b"{}", b"no JSON"])
def test_a_segment_whose_spec_cannot_be_read_or_is_anothers_is_passed_over(tmp_path, text):
    path = fill(tmp_path, SPEC)
    foreign = path.parent.rename(tmp_path / "another-0123456789ab")
    assert specs(tmp_path) == []
    with h5py.File(foreign / path.name, "r+") as file:
        file.attrs["spec"] = np.bytes_(text)
    assert specs(tmp_path) == []


def test_a_cache_of_a_newer_headstart_is_refused_in_words(tmp_path):
    path = fill(tmp_path, SPEC)
    with h5py.File(path, "r+") as file:
        file.attrs["spec"] = np.bytes_(SPEC.to_json().replace('"backbone"', '"a":1,"backbone"'))
    with pytest.raises(CacheError, match=r"names a feature spec that this headstart does not know"):
        specs(tmp_path)
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 99
    with pytest.raises(CacheError, match=r"has format 99, newer than .* upgrade headstart"):
        specs(tmp_path)


def test_a_cache_that_is_not_a_folder_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CacheError, match="cannot list the cache"):
        specs(tmp_path / "file")
