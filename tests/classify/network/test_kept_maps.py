"""Boundary maps: planned before they are written, read in streams, mended or recomputed."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from headstart.classify.compare.cost import measured
from headstart.classify.data.split import Split
from headstart.classify.network.epoch_maps import Augmentation, Budget, EpochMaps
from headstart.classify.network.kept_maps import (
    Boundary,
    Keeping,
    PassingStore,
    boundary_source,
    plan_boundary,
)
from headstart.classify.network.stream import open_stream
from headstart.errors import DataError, OptionError
from headstart.extract.backbone.backbones import PIXELS
from headstart.extract.features import load_features
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from headstart.text import parse_bytes
from pictures import decode, paint

MB = 1 << 20


@pytest.fixture
def images(tmp_path, fake_engine):
    """Twelve pictures: source of their maps, paths, digests and the true maps."""
    paths = [paint(tmp_path / f"{n}.png", (20 * n, 99, 30), seed=n) for n in range(12)]
    options = Execution(cache=tmp_path / "cache")
    source = boundary_source(feature_source(execution=options), "conv_pw_12_relu")
    elsewhere = replace(source, cache=tmp_path / "elsewhere")
    features = load_features(paths, elsewhere)
    fake_engine.images = 0
    return source, paths, features.digests, features.X


@pytest.mark.parametrize("storage", ["float32", "float16", None])
@pytest.mark.parametrize("memory", [0, MB])
def test_maps_are_the_same_however_they_are_kept(images, storage, memory):
    source, paths, digests, truth = images
    boundary = Boundary(source, paths, digests, Keeping(storage, 0))
    stream = open_stream(boundary, np.arange(12), "original", 12, memory)
    assert (stream.held is not None) == (memory > 0)
    stream = stream.select(np.arange(1, 12)).select(np.arange(1, 11))
    order = np.array([7, 0, 3, 3, 9])
    tolerance = 1e-3 if storage == "float16" else 1e-6
    np.testing.assert_allclose(stream.read(order), truth[2:][order], rtol=tolerance)


def test_what_is_computed_anew_leaves_nothing_behind(images, fake_engine):
    source, paths, digests, _ = images
    boundary = Boundary(source, paths, digests, Keeping(None, 0))
    for _ in range(2):
        boundary.read(np.arange(12))
    assert fake_engine.images == 24
    assert not list(source.cache.rglob("*.h5"))


def test_what_the_cache_holds_is_not_computed_anew(images, fake_engine):
    source, paths, digests, _ = images
    load_features(paths[:9], source)
    fake_engine.images = 0
    Boundary(source, paths, digests, Keeping(None, 0)).read(np.arange(12))
    assert fake_engine.images == 3


def test_a_damaged_segment_is_mended_while_training_reads(images):
    source, paths, digests, truth = images
    boundary = Boundary(source, paths, digests, Keeping("float32", 0))
    boundary.prepare(np.arange(12), "original", "maps")
    (segment,) = source.cache.rglob("*.h5")
    data = bytearray(segment.read_bytes())
    at = bytes(data).index(truth[5].tobytes())
    data[at] ^= 1
    segment.write_bytes(data)
    np.testing.assert_array_equal(boundary.read(np.arange(12)), truth)


def test_an_image_that_changed_meanwhile_is_named(images):
    source, paths, digests, _ = images
    boundary = Boundary(source, paths, digests, Keeping(None, 0))
    paint(paths[4], (1, 2, 3), seed=99)
    with pytest.raises(DataError, match=r"cannot read .*4.png again: it has changed meanwhile"):
        boundary.read(np.array([3, 4]))
    paths[4].unlink()
    with pytest.raises(DataError, match=r"4.png again: cannot read: No such file"):
        boundary.read(np.array([4]))


@pytest.mark.parametrize(
    ("budget", "storage", "says"),
    [
        (12 * 12 * 4, "float32", "576 B in float32, 576 B of it to be written to"),
        (12 * 12 * 2, "float16", "288 B in float16, 288 B of it to be written to"),
        (10, None, "288 B in float16, more than the 10 B of the cache budget"),
    ],
)
def test_the_size_is_stated_and_the_budget_decides(images, budget, storage, says):
    source, _, digests, _ = images
    keeping, line = plan_boundary(source, 12, {"original": digests}, budget)
    assert keeping.storage == storage
    assert line.startswith("conv_pw_12_relu: 12 maps of 12 numbers, ")
    assert says in line


def test_a_network_remembers_how_its_maps_were_kept(images):
    source, paths, digests, truth = images
    split = Split(np.arange(9), np.arange(0), np.arange(9, 12), "test")
    budget = Budget(12 * 12 * 2, MB)
    maps = EpochMaps(source, 12, paths, digests, split, Augmentation(), 4, budget)
    assert maps.spec == replace(source.spec, storage="float16")
    assert maps.describe()["bytes_written"] == 288
    every, trained = np.arange(6), np.arange(6)
    np.testing.assert_allclose(maps.training(trained)(1).read(every), truth[:6], rtol=1e-3)


def test_maps_that_are_cached_already_need_no_budget(images):
    source, paths, digests, _ = images
    load_features(paths, source)
    keeping, line = plan_boundary(source, 12, {"original": digests}, 1)
    assert keeping == Keeping("float32", 0)
    assert "0 B of it to be written" in line


def test_pixels_are_never_cached():
    source = boundary_source(feature_source(), PIXELS)
    keeping, line = plan_boundary(source, 150_528, {"original": [b"a"]}, None)
    assert keeping == Keeping(None, 0)
    assert line == "no layer is frozen: 1 images are decoded, no map is kept on the disk"


def test_each_epoch_sees_its_own_view_and_the_others_the_original(images, fake_engine):
    source, paths, digests, truth = images
    split = Split(np.arange(9), np.arange(0), np.arange(9, 12), "test")
    budget = Budget(None, MB)

    def opened(kind):
        return EpochMaps(source, 12, paths, digests, split, Augmentation(kind, 2), 4, budget)

    maps = opened("views")
    every, trained = np.arange(6), np.arange(6)
    first, second, third = (maps.training(trained)(epoch).read(every) for epoch in (1, 2, 3))
    np.testing.assert_array_equal(first, third)
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(maps.held_out(np.arange(6, 9)).read(np.arange(3)), truth[6:9])
    np.testing.assert_array_equal(maps.evaluation().read(np.arange(3)), truth[9:])
    assert fake_engine.images == 12 + 2 * 9

    assert maps.spec == source.spec

    passing = opened("on-the-fly")
    np.testing.assert_array_equal(passing.training(trained)(2).read(every), second)
    np.testing.assert_array_equal(opened("none").training(trained)(3).read(every), truth[:6])


def test_a_boundary_four_times_the_memory_budget_stays_within_it(images):
    source, _, _, _ = images
    budget, dimension, count = 32 * MB, MB // 4, 128  # 1 MB a map, 128 MB in all
    digests = [bytes([n]) * 32 for n in range(count)]
    store = source.store()
    for low in range(0, count, 16):
        rows = np.full((16, dimension), low, dtype=np.float32)
        rows[:, 0] = np.arange(low, low + 16)
        store.append(digests[low : low + 16], rows)
    del rows
    boundary = Boundary(source, [None] * count, digests, Keeping("float32", 0))
    order = np.random.default_rng(0).permutation(count)
    boundary.read(order[:1])  # opens the files
    with measured() as before:
        pass
    with measured() as cost:
        stream = open_stream(boundary, np.arange(count), "original", dimension, budget)
        seen = [maps[:, 0].copy() for _, maps in stream.batches(order, 8)]
    assert stream.held is None
    np.testing.assert_array_equal(np.concatenate(seen), order)
    if cost.peak_memory_mb is not None:
        assert cost.peak_memory_mb - before.peak_memory_mb <= 32


def test_a_passing_store_mixes_memory_and_segments(images):
    source, paths, digests, truth = images
    load_features(paths[:6], source)
    store = PassingStore(source.cache, source.spec)
    store.append(digests[6:], truth[6:])
    np.testing.assert_array_equal(store.read(digests[::-1]), truth[::-1])
    store.forget()
    assert [digest in store for digest in digests] == [True] * 6 + [False] * 6


@pytest.mark.parametrize(("text", "count"), [("8GB", 8 * 10**9), ("1.5 kb", 1500), ("20", 20)])
def test_sizes_are_read_with_their_units(text, count):
    assert parse_bytes(text) == count


def test_a_size_that_is_none_is_refused():
    with pytest.raises(OptionError, match="a size is written like 500MB or 8GB, got 'much'"):
        parse_bytes("much")


def test_pixels_are_held_as_bytes_and_read_as_numbers(tmp_path):
    paths = [paint(tmp_path / f"{n}.png", (20 * n, 99, 30), seed=n) for n in range(3)]
    whole = feature_source(Recipe(input_size=96), Execution(cache=tmp_path / "cache"))
    source = boundary_source(whole, PIXELS)
    digests = [hashlib.sha256(path.read_bytes()).digest() for path in paths]
    boundary = Boundary(source, paths, digests, Keeping(None, 0))
    stream = open_stream(boundary, np.arange(3), "original", 96 * 96 * 3, MB)
    assert stream.held.dtype == np.uint8
    pixels = decode(paths[1].read_bytes(), (96, 96))
    np.testing.assert_array_equal(stream.read(np.array([1]))[0], pixels.ravel())
    assert stream.read(np.array([1])).dtype == np.float32
