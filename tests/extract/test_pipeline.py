"""What is computed, what is reused, what is lost: never more than one segment."""

import builtins
import os
import shutil

import numpy as np
import pytest

from headstart.cache import FeatureSpec, FeatureStore, StatIndex
from headstart.errors import CacheError
from headstart.extract import pipeline
from headstart.extract.features import load_features
from headstart.extract.images.dataset import read_dataset
from headstart.extract.pipeline import extract
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source
from pictures import COLOURS, paint

SPEC = FeatureSpec("fake", "0" * 64, ("top",), "avg", (32, 32), "crop", "none", "float32", 1)


@pytest.fixture
def go(tmp_path, fake_engine):
    """Extract a folder with the fake engine into one cache."""

    def run(folder, **options):
        paths = [image.path for image in read_dataset(folder).images]
        with StatIndex(tmp_path / "stat.sqlite") as index:
            store = FeatureStore(tmp_path / "cache", SPEC)
            return extract(
                paths, store, fake_engine, index, **{"batch_size": 4, "workers": 2, **options}
            )

    return run


def no_open(*_args, **_kwargs):
    raise AssertionError("a file was opened")


def test_the_second_run_makes_no_engine_and_opens_no_image(
    go, photographs, fake_engine, at_rest, monkeypatch
):
    first = go(photographs)
    assert (first.extracted, first.reused, first.engine) == (30, 0, "fake")
    monkeypatch.setattr(builtins, "open", no_open)
    second = go(photographs)
    assert (second.extracted, second.reused, second.engine) == (0, 30, None)
    assert fake_engine.images == 30
    assert second.digests == first.digests


def test_without_the_stat_index_images_are_read_but_nothing_is_computed(
    go, photographs, fake_engine, tmp_path
):
    go(photographs)
    (tmp_path / "stat.sqlite").unlink()
    again = go(photographs)
    assert (again.extracted, again.reused, again.engine) == (0, 30, None)
    assert fake_engine.images == 30


def test_moved_and_relabelled_images_cost_nothing(go, photographs, fake_engine):
    go(photographs)
    (photographs / "red").rename(photographs / "crimson")
    assert go(photographs).extracted == 0
    assert fake_engine.images == 30


def test_an_edited_image_is_extracted_again(go, photographs, fake_engine):
    go(photographs)
    paint(photographs / "red" / "1.jpg", COLOURS["green"], seed=999)
    assert go(photographs).extracted == 1


def test_copies_are_computed_once_and_counted(go, photographs, fake_engine):
    for number in range(5):
        shutil.copy(photographs / "red" / "1.jpg", photographs / "red" / f"copy{number}.jpg")
    result = go(photographs)
    assert (result.extracted, result.duplicates, fake_engine.images) == (30, 5, 30)
    assert all(digest is not None for digest in result.digests)


def test_bad_files_are_listed_with_their_reasons_and_the_rest_is_cached(go, photographs):
    whole = (photographs / "red" / "1.jpg").read_bytes()
    (photographs / "red" / "empty.jpg").write_bytes(b"")
    (photographs / "red" / "text.jpg").write_text("not a picture")
    (photographs / "red" / "torn.jpg").write_bytes(whole[: len(whole) // 2])
    result = go(photographs)
    reasons = {failure.path.name: failure.reason for failure in result.failures}
    assert reasons["empty.jpg"] == "empty file (0 bytes)"
    assert reasons["text.jpg"].startswith("not an image (begins with 'not a pi')")
    assert "truncated" in reasons["torn.jpg"]
    assert (result.extracted, len(result.failures)) == (30, 3)
    assert go(photographs).extracted == 0


def test_an_engine_that_breaks_half_way_loses_no_finished_batch(go, photographs, fake_engine):
    class BreakingEngine(fake_engine):
        def __call__(self, images):
            if type(self).calls == 3:
                raise KeyboardInterrupt
            return super().__call__(images)

    paths = [image.path for image in read_dataset(photographs).images]
    cache = photographs.parent / "cache"
    with StatIndex(photographs.parent / "stat.sqlite") as index, pytest.raises(KeyboardInterrupt):
        extract(paths, FeatureStore(cache, SPEC), BreakingEngine, index, batch_size=4, workers=1)
    kept = len(FeatureStore(cache, SPEC))
    assert kept == 12
    assert go(photographs).extracted == 30 - kept


def test_a_full_disk_is_one_clear_line_and_leaves_nothing_behind(go, photographs, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CacheError, match=r"No space left on device.*committed before are safe"):
        go(photographs)
    assert not [p for p in (photographs.parent / "cache").rglob("*") if p.is_file()]


def test_many_workers_and_segments_give_the_same_features(go, photographs, monkeypatch, tmp_path):
    monkeypatch.setattr(pipeline, "SEGMENT_ROWS", 5)
    digests = go(photographs, workers=4, batch_size=3).digests
    store = FeatureStore(tmp_path / "cache", SPEC)
    assert len(list(store.folder.glob("*.h5"))) > 1
    with StatIndex(tmp_path / "none.sqlite") as index:
        other = FeatureStore(tmp_path / "other", SPEC)
        paths = [image.path for image in read_dataset(photographs).images]
        from fakes import FakeEngine

        extract(paths, other, FakeEngine, index, batch_size=32, workers=1)
    np.testing.assert_array_equal(store.read(digests), other.read(digests))


def test_a_damaged_segment_is_told_and_extracted_again(photographs, fake_engine, tmp_path):
    source = feature_source(execution=Execution(cache=tmp_path / "cache"))
    paths = [image.path for image in read_dataset(photographs).images]
    good = load_features(paths, source)
    (segment,) = source.store().folder.glob("*.h5")
    data = bytearray(segment.read_bytes())
    data[data.find(good.X[3].tobytes())] ^= 1
    segment.write_bytes(data)
    mended = load_features(paths, source)
    assert mended.extraction.extracted == 30
    assert "is damaged" in mended.warnings[0]
    np.testing.assert_array_equal(mended.X, good.X)
