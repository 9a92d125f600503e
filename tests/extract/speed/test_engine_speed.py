"""Backbones are timed on a few images, all workers at once; others are scaled."""

import pytest

from headstart.extract.backbone.backbones import find_backbone
from headstart.extract.engine.choose import Plan
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from headstart.extract.speed import engine_speed as speed
from headstart.extract.speed.engine_speed import (
    Speed,
    nearest_speed,
    time_backbone,
    time_engine,
    time_kept,
)

PLAN = Plan("onnxruntime", "cpu", "float32", batch_size=5, workers=2)


def test_each_worker_warms_up_and_is_timed_on_two_batches(fake_engine):
    assert time_engine(fake_engine(), (32, 32), PLAN) > 0
    assert (fake_engine.calls, fake_engine.images) == (6, 30)


def test_another_backbone_takes_as_long_as_its_multiply_adds_say():
    timed = Speed("mobilenet", 100.0)
    assert timed.of(find_backbone("mobilenet")) == 100
    assert timed.of(find_backbone("vgg16")) == pytest.approx(100 * 0.568 / 15.3)


def test_the_nearest_timed_backbone_is_the_measure():
    speeds = [Speed("mobilenet", 100.0), Speed("vgg16", 5.0)]
    assert nearest_speed(speeds, find_backbone("vgg19")) == speeds[1]
    assert nearest_speed(speeds, find_backbone("mobilenetv2")) == speeds[0]
    assert nearest_speed([], find_backbone("vgg19")) is None


def test_a_backbone_is_timed_with_the_engine_of_its_options(fake_engine):
    timed = time_backbone(Recipe(), Execution(batch_size=2, workers=1))
    assert timed.backbone == "mobilenet"
    assert fake_engine.images == 6


def test_kept_networks_are_timed_once_each_and_damaged_ones_left_out(
    tmp_path, fake_engine, monkeypatch
):
    specs = [feature_source(Recipe(views=v)).spec for v in ("original", "flip")]
    assert time_kept(specs, tmp_path) == []
    (tmp_path / "networks").mkdir()
    (tmp_path / "networks" / f"{specs[0].network.folder}.0.onnx").write_bytes(b"torn")
    assert time_kept(specs, tmp_path) == []

    class Kept(fake_engine):
        name = "onnxruntime"

        def __init__(self, path, spec):
            assert path.name.startswith(spec.network.folder)

    monkeypatch.setattr(speed, "OnnxEngine", Kept)
    (timed,) = time_kept(specs, tmp_path)
    assert timed.backbone == "mobilenet"
    monkeypatch.setattr(speed, "choose", lambda *_: Plan("tensorflow", "gpu", "float32", 8, 1))
    assert time_kept(specs, tmp_path) == []
