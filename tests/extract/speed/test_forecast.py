"""What a large extraction will take: reckoned from a sample, with nothing left in the cache."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from headstart.extract.speed.forecast import ADVICE, advise, forecast
from headstart.extract.speed.stage_timer import STAGES, Costs, measure_costs
from pictures import paint

pytestmark = pytest.mark.usefixtures("fake_engine")


def costs(threads=1, **seconds):
    return Costs(dict.fromkeys(STAGES, 0.001) | seconds, threads, 100e3, 4e3, 64, 0)


def test_a_sample_is_timed_stage_by_stage_and_leaves_nothing_in_the_cache(photographs, tmp_path):
    (photographs / "red" / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    source = feature_source(execution=Execution(cache=tmp_path / "cache"))
    paths = [image.path for image in read_dataset(photographs).images]
    found = measure_costs(paths, source, 31)
    assert (found.sampled, found.failed) == (31, 1)
    assert set(found.seconds) == set(STAGES)
    assert all(seconds > 0 for seconds in found.seconds.values())
    sizes = [path.stat().st_size for path in paths]
    assert min(sizes) <= found.file_bytes <= max(sizes)
    assert 12 * 4 + 32 <= found.feature_bytes <= 200  # a row, its digest and a share of the file
    assert len(source.store()) == 0
    assert not list((tmp_path / "cache").iterdir())


def test_a_worker_of_one_thread_adds_its_stages_and_one_of_several_overlaps_them():
    alone = costs(decode=0.004, backbone=0.006, read=0.0, commit=0.0)
    assert alone.seconds_an_image == pytest.approx(0.010)
    assert alone.slowest_stage == "backbone"
    several = replace(alone, threads=2)
    assert several.seconds_an_image == pytest.approx(0.006)
    few = replace(alone, threads=2, seconds=alone.seconds | {"decode": 0.020})
    assert few.seconds_an_image == pytest.approx(0.010)
    assert few.slowest_stage == "decode"


@given(images=st.integers(1, 10**9), counts=st.lists(st.integers(1, 2000), min_size=2, max_size=5))
def test_more_workers_are_never_much_slower_and_no_forecast_beats_the_ideal(images, counts):
    one = costs()
    rows = [forecast(images, one, count, size=1000) for count in sorted(counts)]
    for row in rows:
        ideal = images * one.seconds_an_image / row.workers / 3600
        assert row.hours >= ideal * (1 - 1e-9)
    assert all(later.hours <= earlier.hours for earlier, later in pairwise(rows))


def test_a_bandwidth_that_is_less_than_the_workers_want_is_the_bottleneck():
    free = forecast(1_000_000, costs(), 100)
    narrow = forecast(1_000_000, costs(), 100, bandwidth=50)
    assert free.bottleneck in STAGES
    assert narrow.bottleneck == "network"
    assert narrow.read_mb_per_second + narrow.write_mb_per_second == pytest.approx(50)
    assert narrow.hours > free.hours


def test_every_bottleneck_has_advice_that_fits_the_options(tmp_path):
    source = feature_source(Recipe(views="original,flip"), Execution(cache=tmp_path))
    bottlenecks = {stage for stage, *_ in ADVICE}
    assert bottlenecks == {*STAGES, "network"}
    assert all(advise(bottleneck, source) for bottleneck in bottlenecks)
    assert "--views original" in advise("backbone", source)[0]
    assert not any("mobilenet" in line for line in advise("backbone", source))


def test_what_is_cached_is_not_reckoned_and_what_was_never_read_is_said(
    headstart, photographs, at_rest
):
    headstart("extract", "features", photographs)
    paint(photographs / "red" / "new.png", (200, 50, 40), seed=999)
    status, out, _ = headstart("plan", photographs, "--processes", "2", "--sample", "8", "--json")
    told = json.loads(out)
    assert status == 0
    assert (told["images"], told["cached"], told["unknown"]) == (31, 30, 1)
    assert set(told) >= {
        *(
            "version",
            "sample",
            "seconds_an_image",
            "images_per_second_a_worker",
            "listed_per_second",
        ),
        *("bytes_an_image", "storage_bytes", "workers", "bottleneck", "advice", "spec", "cache"),
    }
    (row,) = told["workers"]
    assert (row["workers"], row["shards"]) == (2, 1)
    assert row["hours"] > 0
    assert told["advice"][row["bottleneck"]]

    out = headstart("plan", photographs, "--sample", "8", "--bandwidth", "0.001")[1]
    assert "31 images, 30 of them cached: 1 to extract" in out
    assert "1 were never read on this machine" in out
    assert "network" in out
    table = out.partition("workers")[2].splitlines()[1:5]
    assert [line.split()[0] for line in table] == ["1", "10", "100", "1,000"]


def test_a_sample_without_one_good_image_is_told(headstart, tmp_path):
    for label in ("a", "b"):
        file = tmp_path / label / "torn.jpg"
        file.parent.mkdir()
        file.write_bytes(b"")
    status, _, err = headstart("plan", tmp_path)
    assert status == 1
    assert "error: none of the 2 images of the sample can be used" in err
