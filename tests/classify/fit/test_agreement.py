"""Reduced precision is judged by the head, on training images both ways."""

from dataclasses import replace

import numpy as np
import pytest

from fakes import FakeEngine, engines_made_by
from headstart.classify.fit.agreement import check_loss, compare_precisions, describe
from headstart.classify.fit.fit_heads import HeadSettings, fit_heads
from headstart.errors import OptionError
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source


class Rounding(FakeEngine):
    """Features that move by a tenth and say the same; in float32 those of the fake engine."""

    def __call__(self, images):
        features = super().__call__(images)
        if self.wanted.spec.precision == "float32":
            return features
        noise = np.random.default_rng(int(images.sum())).normal(size=features.shape)
        return self.moved(features, noise).astype(np.float32)

    def moved(self, features, noise):
        return features * (1 + 0.1 * noise)


class Losing(Rounding):
    """Features that are noise."""

    def moved(self, features, noise):
        return noise


@pytest.fixture
def reduced(tmp_path):
    """A source of reduced precision."""
    source = feature_source(execution=Execution(cache=tmp_path / "cache", batch_size=1))
    return replace(source, spec=replace(source.spec, precision="bfloat16"))


@pytest.fixture
def dataset(photographs):
    return read_dataset(photographs)


def test_features_that_move_and_say_the_same_are_within_noise(dataset, reduced):
    with engines_made_by(Rounding):
        found = compare_precisions(dataset, reduced, 0)
    assert found["within_noise"]
    assert found["precision"] == "bfloat16"
    for figure in (found["accuracy"], found["log_loss"]):
        assert figure["difference"] == pytest.approx(figure["reduced"] - figure["float32"])
        assert figure["ci95"][0] <= figure["difference"] <= figure["ci95"][1]
    check_loss(found)


def test_what_costs_more_than_noise_is_refused_with_its_figures(dataset, reduced):
    with engines_made_by(Losing):
        found = compare_precisions(dataset, reduced, 0)
        assert found["accuracy"]["reduced"] < found["accuracy"]["float32"] == 1
        with pytest.raises(OptionError, match=r"bfloat16 costs more than noise: on 2\d training"):
            fit_heads(dataset, reduced, HeadSettings())
        run = fit_heads(dataset, reduced, HeadSettings(), accept_loss=True)
    assert run.best["precision"] == found
    assert "accuracy is" in describe(found)


def test_the_images_that_evaluate_have_no_part_in_it(dataset, reduced):
    with engines_made_by(Rounding):
        found = compare_precisions(dataset, reduced, 0)
        run = fit_heads(dataset, reduced.exact(), HeadSettings())
    assert found["images"] + run.best["evaluation"]["n"] == len(dataset.images)
    assert run.best["precision"] is None
