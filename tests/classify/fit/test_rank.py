"""What is cached is scored on training images alone; what is not has a price or says it has none."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from fakes import engines_made_by
from headstart.cache import FeatureStore
from headstart.classify.fit.rank import Timing, out_of_fold, rank
from headstart.extract.backbone.preprocessing import Declared
from headstart.extract.features import load_features
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from headstart.extract.speed.engine_speed import Speed
from near import near
from networks import tiny_onnx

LAYERS = ("conv_pw_5_relu", "conv_pw_13_relu")


@pytest.fixture
def two_layers(fake_engine):
    """An engine of two layers: the first is noise, the second tells colours apart."""

    class Engine(fake_engine):
        widths = (3, 12)

        def __call__(self, images):
            X = super().__call__(images)
            noise = np.random.default_rng(images[:, 0, 0].tobytes()[0]).normal(size=(len(X), 3))
            return np.concatenate([np.abs(noise), X], axis=1).astype(np.float32)

    return Engine


@pytest.fixture
def fill(photographs, fake_engine, tmp_path):
    """Extract the photographs, or some of them, with these options; return the spec."""

    def run(paths=None, make=fake_engine, **recipe):
        source = feature_source(Recipe(**recipe), Execution(cache=tmp_path / "cache"))
        paths = paths or [image.path for image in read_dataset(photographs).images]
        with engines_made_by(make):
            load_features(paths, source)
        return source.spec

    return run


@pytest.fixture
def ranked(photographs, tmp_path):
    def run(images=100, **options):
        return rank(read_dataset(photographs), tmp_path / "cache", images, seed=0, **options)

    return run


def test_layers_are_ranked_alone_and_together_and_what_tells_nothing_comes_last(
    fill, ranked, two_layers
):
    fill(layers=LAYERS, make=two_layers)
    results = ranked()
    rows = results["ranked"]
    assert {tuple(row["layers"]) for row in rows} == {LAYERS, LAYERS[:1], LAYERS[1:]}
    best, worst = rows[0], rows[-1]
    assert best["layers"] == [LAYERS[1]]
    assert best["accuracy"] == 1.0
    assert worst["layers"] == [LAYERS[0]]
    assert worst["accuracy"] < 0.8
    low, high = worst["ci95"]
    assert low < worst["accuracy"] < high
    assert {row["dimension"] for row in rows} == {3, 12, 15}
    # A layer of several is not there for 'fit head --layer' by itself: it has a price of its own.
    assert {len(row["layers"]): row["missing_images"] for row in rows} == {2: 0, 1: 30}


def test_a_layer_extracted_by_itself_is_ranked_once_and_costs_nothing(fill, ranked, two_layers):
    fill(layers=LAYERS, make=two_layers)
    alone = fill()
    (row,) = (row for row in ranked()["ranked"] if row["layers"] == ["conv_pw_13_relu"])
    assert (row["cached_in"], row["missing_images"], row["seconds"]) == (alone.id, 0, 0.0)
    assert row["options"] == []


def test_views_are_scored_by_their_mean(fill, ranked):
    fill(views="original,flip")
    (row,) = ranked()["ranked"]
    assert (row["dimension"], row["views"]) == (12, ["original", "flip"])
    assert row["options"] == ["--views", "original,flip"]


def test_what_is_cached_in_part_says_its_share_or_is_priced(fill, ranked, photographs):
    paths = [image.path for image in read_dataset(photographs).images]
    fill([path for path in paths if path.stem in "0123456"])
    fill([path for path in paths if path.stem in "01"], pooling="max")
    results = ranked()
    (row,) = results["ranked"]
    assert row["share"] == row["images"] / results["images"]
    assert 0.5 < row["share"] < 1
    assert row["missing_images"] == 9
    (partly,) = (row for row in results["not_cached"] if row["pooling"] == "max")
    assert (partly["missing_images"], partly["seconds"]) == (24, None)


def test_features_that_no_head_could_get_again_are_left_out(fill, ranked, tmp_path):
    spec = fill()
    rows = FeatureStore(tmp_path / "cache", spec)
    digests = sorted(rows.digests())
    for stale in (
        replace(spec, decoder=spec.decoder + 1),
        replace(spec, backbone="gone"),
        replace(spec, pooling="none"),
        replace(spec, preprocessing="another"),
    ):
        FeatureStore(tmp_path / "cache", stale).append(digests, rows.read(digests))
    assert [row["cached_in"] for row in ranked()["ranked"]] == [spec.id]


def test_a_damaged_segment_is_told_and_what_is_left_is_scored(fill, ranked, tmp_path, photographs):
    paths = [image.path for image in read_dataset(photographs).images]
    fill([path for path in paths if path.stem in "012"])
    spec = fill()
    for segment, rows, shares in zip(
        sorted(FeatureStore(tmp_path / "cache", spec).folder.glob("*.h5"), key=rows_of),
        (9, 21),
        ([True], []),
        strict=True,
    ):
        assert rows_of(segment) == rows
        damage(segment)
        results = ranked()
        assert [0.5 < row["share"] < 1 for row in results["ranked"]] == shares
        assert f"its {rows} rows will be extracted again" in results["warnings"][-1]


def rows_of(segment):
    with h5py.File(segment) as file:
        return len(file["features"])


def damage(segment):
    with h5py.File(segment) as file:
        row = file["features"][0].tobytes()
    data = bytearray(segment.read_bytes())
    data[data.find(row)] ^= 1
    segment.write_bytes(data)


def test_an_empty_cache_has_prices_alone_and_none_where_nothing_was_timed(ranked):
    results = ranked()
    assert results["ranked"] == []
    assert [row["options"] for row in results["not_cached"]] == [[], ["--layer", "auto"]]
    assert {row["seconds"] for row in results["not_cached"]} == {None}
    assert results["not_cached"][0]["missing_images"] == 30


def test_prices_are_images_times_views_at_the_timed_speed(fill, ranked, photographs):
    fill(views="original,flip")
    (photographs / "red" / "new.jpg").write_bytes((photographs / "red" / "1.jpg").read_bytes()[:-1])
    timed = [Speed("vgg16", 1.0), Speed("mobilenet", 4.0)]
    results = ranked(timing=Timing(kept=lambda specs, cache: timed))
    assert results["ranked"][0]["seconds"] == 1 * 2 / 4.0
    (auto,) = results["not_cached"]
    assert (auto["options"], auto["seconds"], auto["timed"]) == (
        ["--layer", "auto"],
        31 / 4.0,
        "mobilenet",
    )


def test_backbones_that_are_not_cached_are_timed_when_asked(ranked):
    asked = []

    def time_backbone(recipe, execution):
        asked.append(recipe.backbone)
        return Speed(recipe.backbone, 10.0)

    results = ranked(measure=True, timing=Timing(one=time_backbone))
    assert asked == ["mobilenet"]
    assert {row["seconds"] for row in results["not_cached"]} == {3.0}


def test_an_image_is_judged_by_a_head_that_has_not_seen_it():
    """Features wider than images fit anything; out of fold, noise is right by chance alone."""
    y, groups = np.repeat([0, 1], 30), np.arange(60)
    noise = np.random.default_rng(0).normal(size=(60, 200)).astype(np.float32)
    hits = lambda X: int((out_of_fold(X, y, groups, 0).argmax(axis=1) == y).sum())  # noqa: E731
    assert hits(noise) < 45
    assert hits(noise + 5 * y[:, None]) == 60


def test_the_same_inputs_give_the_same_ranking(fill, ranked):
    fill()
    assert ranked(images=12) == near(ranked(images=12))


def test_named_backbones_are_extracted_on_the_sample_alone(photographs, tmp_path, fake_engine):
    declared = Declared(mean="0", std="1", scale="1", channels="rgb")
    file = str(tiny_onnx(tmp_path / "tiny.onnx"))
    cache, dataset = tmp_path / "cache", read_dataset(photographs)
    recipes = [Recipe(), Recipe(file, declared=declared)]
    sources = [feature_source(recipe, Execution(cache=cache)) for recipe in recipes]
    document = rank(dataset, cache, 12, seed=0, sources=sources)
    assert {tuple(row["options"]) for row in document["ranked"]} == {(), ("--backbone", file)}
    assert not document["not_cached"]
    for row in document["ranked"]:
        assert row["images"] == 12
        assert row["missing_images"] == len(dataset.images) - 12
        assert row["seconds_an_image"] > 0
        assert row["ci95"][0] <= row["accuracy"] <= row["ci95"][1]
    cached = rank(dataset, cache, 12, seed=0)["ranked"]
    assert {tuple(row["options"]) for row in cached} == {(), ("--backbone", file)}
    Path(file).unlink()
    assert [row["options"] for row in rank(dataset, cache, 12, seed=0)["ranked"]] == [[]]
