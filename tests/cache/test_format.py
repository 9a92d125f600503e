"""``cache/FORMAT.md``, held against what is written and against a reader that knows only it."""

import hashlib
import json
import re
from dataclasses import replace

import h5py
import numpy as np
import pytest

from headstart.cache import FeatureSpec, FeatureStore
from headstart.errors import CacheError

SPEC = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 8), "crop", "none", "float32", 1)
DIGESTS = [hashlib.sha256(bytes([i])).digest() for i in range(5)]
FEATURES = np.arange(15, dtype=np.float32).reshape(5, 3)


def test_a_segment_is_what_the_format_says(tmp_path):
    path = FeatureStore(tmp_path, SPEC).append(DIGESTS, FEATURES)
    identity = hashlib.sha256(SPEC.to_json().encode()).hexdigest()[:12]
    assert path.parent == tmp_path / f"fake-{identity}"
    assert re.fullmatch(r"[0-9a-f]{32}\.h5", path.name)
    with h5py.File(path) as segment:
        assert set(segment) == {"digest", "features"}
        assert set(segment.attrs) == {"format_version", "spec", "widths", "created_by"}
        assert segment.attrs["format_version"] == 1
        assert isinstance(segment.attrs["spec"], bytes)
        assert json.loads(segment.attrs["spec"])["backbone"] == "fake"
        assert (segment["digest"].dtype, segment["digest"].shape) == (np.uint8, (5, 32))
        assert (segment["features"].dtype, segment["features"].shape) == (np.float32, (5, 3))
        assert segment["digest"].fletcher32
        assert segment["features"].fletcher32
        assert segment["digest"][2].tobytes() == DIGESTS[2]


@pytest.mark.parametrize("widths", [{"widths": np.array([3])}, {}])
def test_a_segment_written_by_the_letter_of_the_format_is_read(tmp_path, widths):
    folder = tmp_path / SPEC.folder
    folder.mkdir()
    with h5py.File(folder / f"{'a' * 32}.h5", "w", libver="latest") as file:
        file.attrs.update(
            {
                "format_version": 1,
                "spec": np.bytes_(SPEC.to_json()),
                **widths,
                "created_by": np.bytes_("a"),
            }
        )
        table = np.frombuffer(b"".join(DIGESTS), np.uint8).reshape(5, 32)
        file.create_dataset("digest", data=table, fletcher32=True)
        file.create_dataset("features", data=FEATURES, fletcher32=True)
    read = FeatureStore(tmp_path, SPEC).read(DIGESTS[::-1])
    np.testing.assert_array_equal(read, FEATURES[::-1])


def test_a_segment_of_several_layers_that_says_no_widths_is_set_aside(tmp_path):
    spec = replace(SPEC, layers=("low", "top"))
    path = FeatureStore(tmp_path, spec).append(DIGESTS, FEATURES, (1, 2))
    with h5py.File(path, "r+") as file:
        del file.attrs["widths"]
    store = FeatureStore(tmp_path, spec)
    assert "widths" in str(store.damaged[0])
    assert len(store) == 0


def test_a_newer_format_is_refused_with_the_remedy(tmp_path):
    path = FeatureStore(tmp_path, SPEC).append(DIGESTS, FEATURES)
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 2
    with pytest.raises(CacheError, match=r"format 2, newer than this headstart's 1; upgrade"):
        FeatureStore(tmp_path, SPEC)


def test_a_segment_in_another_specs_folder_is_set_aside(tmp_path):
    path = FeatureStore(tmp_path, SPEC).append(DIGESTS, FEATURES)
    other = replace(SPEC, pooling="max")
    (tmp_path / other.folder).mkdir()
    (tmp_path / other.folder / path.name).write_bytes(path.read_bytes())
    store = FeatureStore(tmp_path, other)
    assert DIGESTS[0] not in store
    assert "it holds features of another spec" in str(store.damaged[0])


def test_a_flipped_byte_is_found_set_aside_and_can_be_written_again(tmp_path):
    path = FeatureStore(tmp_path, SPEC).append(DIGESTS, FEATURES)
    data = bytearray(path.read_bytes())
    data[data.find(FEATURES.tobytes()) + 9] ^= 0xFF
    path.write_bytes(data)
    store = FeatureStore(tmp_path, SPEC)
    with pytest.raises(CacheError, match=r"damaged .* its 5 rows will be extracted again"):
        store.read(DIGESTS)
    assert DIGESTS[0] not in store
    assert path.with_name(path.name + ".damaged").exists()
    store.append(DIGESTS, FEATURES)
    np.testing.assert_array_equal(store.read(DIGESTS), FEATURES)
