"""What a cache holds, and taking it away: ours goes, other people's stays."""

import json
from dataclasses import replace

import numpy as np
import pytest

from headstart.cache import FeatureSpec, FeatureStore
from headstart.cache.catalogue import specs

SPEC = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 8), "crop", "none", "float32", 1)
OTHER = replace(SPEC, pooling="max")
DIGESTS = [bytes([n]) * 32 for n in range(4)]


@pytest.fixture
def cache(tmp_path):
    for spec in (SPEC, OTHER):
        store = FeatureStore(tmp_path / "c", spec)
        store.append(DIGESTS, np.ones((4, 3), np.float32))
        store.append(DIGESTS[:1], np.ones((1, 3), np.float32))
    return tmp_path / "c"


def test_info_counts_images_rows_and_bytes(headstart, cache):
    status, out, _ = headstart("cache", "info", "--cache", cache, "--json")
    found = {one["id"]: one for one in json.loads(out)["specs"]}
    assert status == 0
    assert set(found) == {SPEC.id, OTHER.id}
    one = found[SPEC.id]
    assert (one["images"], one["rows"], one["segments"], one["damaged"]) == (4, 5, 2, 0)
    folder = cache / SPEC.folder
    assert one["bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    assert f"fake top avg  {SPEC.id}" in headstart("cache", "info", "--cache", cache)[1]


def test_an_empty_cache_is_told(headstart, tmp_path):
    assert "0 B" in headstart("cache", "info", "--cache", tmp_path / "nothing")[1]


def test_one_spec_goes_and_the_others_stay(headstart, cache):
    status, out, _ = headstart("cache", "clear", "--spec", SPEC.id, "--yes", "--cache", cache)
    assert status == 0
    assert out.startswith("removed 2 files")
    assert [folder.name for _, folder in specs(cache)] == [OTHER.folder]
    assert not (cache / SPEC.folder).exists()


def test_other_peoples_files_stay(headstart, cache):
    notes = [cache / "notes.h5", cache / SPEC.folder / "notes.h5", cache / "mine" / "x.h5"]
    for path in notes:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    assert headstart("cache", "clear", "--yes", "--cache", cache)[0] == 0
    assert not specs(cache)
    assert [path.read_text() for path in notes] == ["mine"] * 3
    assert len(FeatureStore(cache, SPEC)) == 0
    assert notes[1].exists(), "no segment's name: not ours to set aside"


def test_without_yes_nothing_goes_where_nobody_can_be_asked(headstart, cache):
    status, _, err = headstart("cache", "clear", "--cache", cache)
    assert status == 1
    assert "this removes 4 files" in err
    assert "add --yes" in err
    assert len(specs(cache)) == 2


def test_an_unknown_spec_lists_the_known(headstart, cache):
    status, _, err = headstart("cache", "clear", "--spec", "x", "--yes", "--cache", cache)
    assert status == 1
    assert "unknown spec 'x'" in err
    assert SPEC.id in err
