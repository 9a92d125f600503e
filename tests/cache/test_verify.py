"""Every byte is looked at: what is wrong is named, set aside and extracted again."""

import json
import random
from contextlib import nullcontext
from dataclasses import replace

import h5py
import numpy as np
import pytest

from headstart.cache import DamagedSegmentError, FeatureSpec, FeatureStore
from headstart.cache.segment import write_segment
from headstart.cache.verify import verify
from headstart.extract.features import load_features
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source
from pictures import paint

SPEC = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 8), "crop", "none", "float32", 1)
DIGESTS = [bytes([n]) * 32 for n in range(6)]
ROWS = np.arange(24, dtype=np.float32).reshape(6, 4)


@pytest.fixture
def cache(tmp_path):
    FeatureStore(tmp_path / "cache", SPEC).append(DIGESTS, ROWS)
    return tmp_path / "cache"


def only_segment(cache):
    (path,) = cache.rglob("*.h5")
    return path


def flip(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def test_a_whole_cache_and_none_at_all_are_clean(cache, tmp_path):
    found = verify(cache)
    assert (found.segments, found.rows, found.problems) == (1, 6, [])
    assert not verify(tmp_path / "nowhere").problems


def test_a_flipped_bit_names_the_segment_the_reason_and_its_images(cache):
    path = only_segment(cache)
    flip(path, path.read_bytes().find(ROWS[2].tobytes()))
    (problem,) = verify(cache).problems
    assert (problem.path, problem.digests) == (path, DIGESTS)
    assert problem.reason
    assert path.exists(), "looking changes nothing"


def test_mending_sets_aside_and_the_next_look_is_clean(cache):
    path = only_segment(cache)
    flip(path, len(path.read_bytes()) // 2)
    assert len(verify(cache, mend=True).problems) == 1
    again = verify(cache)
    assert (again.problems, [p.name for p in again.damaged]) == ([], [path.name + ".damaged"])


def test_values_that_no_backbone_gives_are_found(cache):
    write_segment(cache / SPEC.folder, SPEC, DIGESTS, np.full_like(ROWS, np.nan), (4,))
    (problem,) = verify(cache).problems
    assert problem.reason == "it holds NaN or infinity"


def test_a_segment_in_another_specs_folder_is_found(cache):
    other = replace(SPEC, pooling="max")
    write_segment(cache / SPEC.folder, other, DIGESTS, ROWS, (4,))
    (problem,) = verify(cache).problems
    assert problem.reason == "it holds features of another spec"


def test_a_newer_format_is_a_problem_that_is_not_set_aside(cache):
    with h5py.File(only_segment(cache), "r+") as segment:
        segment.attrs["format_version"] = 2
    (problem,) = verify(cache, mend=True).problems
    assert "has format 2, newer than this headstart's 1; upgrade headstart" in problem.reason
    assert only_segment(cache).exists()


def test_every_bit_of_500_is_harmless_or_found_dropped_and_extracted_again(tmp_path, fake_engine):
    for n in range(6):
        paint(tmp_path / "data" / "red" / f"{n}.png", (200, 50, 40), n, (8, 9))
    paths = [image.path for image in read_dataset(tmp_path / "data").images]
    source = feature_source(execution=Execution(cache=tmp_path / "good"))
    spec, good = source.spec, load_features(paths, source)
    segment = only_segment(tmp_path / "good")
    whole = segment.read_bytes()
    index = min(whole.find(digest) for digest in good.digests)
    data = min(whole.find(row.tobytes()) for row in good.X)
    assert min(index, data) > 0
    draw = random.Random(3)
    spots = [*range(index, index + 192, 4), *range(data, data + good.X.nbytes, 3)]
    spots += draw.sample(range(len(whole)), 500 - len(spots))  # the rest: all kinds of metadata
    found = 0
    for number, position in enumerate(spots):
        source = replace(source, cache=tmp_path / f"cache{number}")
        path = source.cache / segment.parent.name / segment.name
        path.parent.mkdir(parents=True, exist_ok=True)
        flipped = bytearray(whole)
        flipped[position] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        problems = verify(source.cache).problems
        for problem in problems:
            found += 1
            assert problem.path == path
            assert sorted(problem.digests) in ([], sorted(good.digests))
        if number % 5 == 0:
            mended = load_features(paths, source)
            assert bool(mended.extraction.extracted) == bool(problems), f"byte {position}"
            rows, told = mended.X, "".join(mended.warnings[:1])
        else:  # what the extraction looks at, without the time it takes
            store = FeatureStore(source.cache, spec)
            with pytest.raises((DamagedSegmentError, KeyError)) if problems else nullcontext():
                rows = store.read(good.digests)
            rows, told = good.X if problems else rows, str(*store.damaged)
        np.testing.assert_array_equal(rows, good.X, err_msg=f"byte {position}")
        assert (f"segment {path} is damaged" in told) == bool(problems), f"byte {position}"
        assert path.exists() == (not problems), "set aside"
        if index <= position < index + 192 or data <= position < data + good.X.nbytes:
            assert problems, f"byte {position} of the rows"
    assert found > 300


def test_the_command_names_the_images_exits_1_and_0_once_mended(
    headstart, photographs, at_rest, tmp_path
):
    headstart("extract", "features", photographs)
    assert headstart("cache", "verify")[0] == 0
    path = only_segment(tmp_path)
    data = path.read_bytes()
    flip(path, len(data) - 40)
    status, out, err = headstart("cache", "verify", "--json", "--mend")
    document = json.loads(out)
    assert (status, document["clean"]) == (1, False)
    (problem,) = document["problems"]
    assert problem["path"] == str(path)
    assert sorted(problem["images"]) == sorted(map(str, photographs.rglob("*.*g")))
    assert len(problem["digests"]) == 30
    assert err.splitlines()[-1].startswith("error: 1 of the cache's files cannot be trusted")
    status, out, _ = headstart("cache", "verify", "--json")
    assert (status, json.loads(out)["set_aside"]) == (0, [f"{path}.damaged"])
    assert "30 extracted" in headstart("extract", "features", photographs)[1]


def test_recompute_compares_a_sample_with_what_is_computed_now(headstart, photographs, tmp_path):
    headstart("extract", "features", photographs)
    status, out, _ = headstart("cache", "verify", photographs, "--recompute", "30", "--json")
    (again,) = json.loads(out)["recomputed"]
    assert (status, again["images"], again["differing"]) == (0, 30, [])
    assert again["error"] <= 1e-6

    path = only_segment(tmp_path)
    spec = FeatureSpec.from_json(json.dumps(first_spec(headstart)))
    store = FeatureStore(path.parent.parent, spec)
    digests = sorted(store.digests())
    rows = store.read(digests)
    rows[7] += 1
    path.unlink()
    FeatureStore(path.parent.parent, spec).append(digests, rows)
    status, out, err = headstart("cache", "verify", photographs, "--recompute", "30", "--json")
    document = json.loads(out)
    assert (status, document["clean"]) == (1, False)
    assert len(document["recomputed"][0]["differing"]) == 1
    assert "1 of 30 images have other features in the cache" in err


def first_spec(headstart):
    return json.loads(headstart("cache", "info", "--json")[1])["specs"][0]["spec"]


def test_recompute_says_why_a_spec_cannot_be(headstart, photographs, cache):
    status, out, _ = headstart(
        "cache", "verify", photographs, "--recompute", "5", "--cache", cache, "--json"
    )
    (again,) = json.loads(out)["recomputed"]
    assert status == 0
    assert again["skipped"].startswith("unknown backbone 'fake'")


def test_recompute_needs_images_to_draw_from(headstart):
    status, _, err = headstart("cache", "verify", "--recompute", "5")
    assert status == 1
    assert "--recompute N and DATA go together" in err


def test_a_sample_reads_some_segments_of_each_spec_and_the_same_by_the_same_seed(tmp_path):
    for n in range(6):
        FeatureStore(tmp_path, SPEC).append(DIGESTS[n : n + 1], ROWS[n : n + 1])
    first = min((tmp_path / SPEC.folder).iterdir())
    flip(first, len(first.read_bytes()) // 2)
    found = [verify(tmp_path, sample=2, seed=seed) for seed in range(20)]
    assert {sample.segments + len(sample.problems) for sample in found} == {2}
    assert {len(sample.problems) for sample in found} == {0, 1}
    assert len(verify(tmp_path, sample=100).problems) == 1
    assert verify(tmp_path, sample=2, seed=3).rows == found[3].rows
