"""The learning curve: nested subsets, honest intervals, a sentence that promises nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.classify.fit.learning_curve import conclude, learning_curve
from headstart.classify.heads.table import HEADS
from headstart.classify.statistics.intervals import crossed_interval, wilson
from headstart.errors import OptionError
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from pictures import COLOURS, paint


@pytest.fixture
def run(fake_engine, tmp_path):
    def go(data, name="logreg", seeds=2, seed=0):
        source = feature_source(execution=Execution(cache=tmp_path / "cache"))
        return learning_curve(read_dataset(data), source, name, seeds, seed)

    return go


@given(st.integers(1, 300), st.data())
def test_one_subset_has_wilsons_interval(n, data):
    right = data.draw(st.integers(0, n))
    hits = np.arange(n)[None] < right
    if n > 1:
        assert crossed_interval(hits) == pytest.approx(wilson(right, n), abs=1e-9)


def test_the_interval_counts_both_images_and_subsets():
    random = np.random.default_rng(0)
    hits = random.random((1, 200)) < 0.8
    same = np.repeat(hits, 5, axis=0)  # five subsets, one opinion: no more is known of images
    assert crossed_interval(same) == pytest.approx(crossed_interval(hits), abs=1e-9)
    differing = random.random((5, 200)) < np.array([0.6, 0.7, 0.8, 0.9, 1.0])[:, None]
    low, high = crossed_interval(differing)
    assert low < 0.65
    assert high > 0.9
    assert crossed_interval(np.ones((5, 200), dtype=bool))[1] == 1


def test_the_interval_covers_the_accuracy_over_other_subsets_and_images():
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        subset = random.normal(0, 0.05, (5, 1))
        image = random.choice([-0.3, 0.1], (1, 272), p=[0.25, 0.75])
        low, high = crossed_interval(random.random((5, 272)) < 0.85 + subset + image)
        covered += low <= 0.85 <= high
    assert covered >= 180


def test_the_curve_ends_with_all_images_and_its_figures_fit_together(run, photographs):
    for c, (name, colour) in enumerate(COLOURS.items()):
        for number in range(10, 30):
            paint(photographs / name / f"{number}.png", colour, seed=100 * c + number)
    told = run(photographs)
    images = [point["images"] for point in told["points"]]
    assert told["points"][-1]["seeds"] == 1
    assert all(point["seeds"] == 2 for point in told["points"][:-1])
    assert len(images) == 4
    assert images == sorted(images)
    for point in told["points"]:
        assert point["images_a_class"] == pytest.approx(point["images"] / 3, abs=0.2)
        assert point["ci95"][0] <= point["accuracy"] <= point["ci95"][1]
        assert np.mean(point["accuracies"]) == pytest.approx(point["accuracy"])
    assert told["extrapolation"]["images_a_class"] == 2 * told["points"][-1]["images_a_class"]
    assert told["conclusion"].startswith(f"no gain can be told on {told['evaluation']['n']} images")
    assert run(photographs) == told


def test_few_images_make_no_extrapolation_and_say_what_it_takes(run, photographs):
    told = run(photographs, seeds=1)
    assert told["extrapolation"] is None
    assert told["conclusion"] == (
        f"{len(told['points'])} sizes are too few to say what more images would bring: "
        "4 take 16 training images a class"
    )


def test_one_size_is_a_curve_of_one_point(run, tmp_path):
    for c, (name, colour) in enumerate(COLOURS.items()):
        for number in range(3):
            paint(tmp_path / "few" / name / f"{number}.png", colour, seed=100 * c + number)
    told = run(tmp_path / "few")
    assert len(told["points"]) == 1
    assert told["conclusion"].startswith("1 size is too few")


def test_unequal_classes_keep_their_proportions_and_it_is_told(run, photographs):
    for number in range(10, 60):
        paint(photographs / "red" / f"{number}.png", COLOURS["red"], seed=1000 + number)
    told = run(photographs, seeds=1)
    assert any(
        "subsets keep the proportions, with at least 2 a class" in w for w in told["warnings"]
    )


@pytest.mark.parametrize("name", [name for name, head in HEADS.items() if head.fast])
def test_every_fast_head_has_a_curve(run, photographs, name):
    told = run(photographs, name, seeds=1)
    assert told["model"] == name
    assert told["points"][0]["images_a_class"] >= HEADS[name].least


def test_an_unknown_head_is_refused_before_anything_is_extracted(run, photographs, fake_engine):
    with pytest.raises(OptionError, match="unknown head 'x'; valid: centroid"):
        run(photographs, "x")
    assert fake_engine.images == 0


@pytest.mark.parametrize(
    ("gain", "interval", "line"),
    [
        (0.004, [0.0, 0.008], "no gain can be told on 200 images: by the power law doubling"),
        (0.03, [0.01, 0.05], "by the power law doubling the data to 40 images a class would bring"),
    ],
)
def test_a_gain_under_one_image_is_called_none(gain, interval, line):
    extrapolation = {"images_a_class": 40, "accuracy": 0.9, "gain": gain, "gain_ci95": interval}
    assert conclude(6, extrapolation, 200).startswith(line)


def test_each_subset_chooses_layers_and_views_too(photographs, fake_engine, tmp_path):
    recipe = Recipe(views="original,flip", layers=("auto",))
    source = feature_source(recipe, Execution(cache=tmp_path))
    told = learning_curve(read_dataset(photographs), source, "logreg", 1, 0)
    assert told["points"][-1]["accuracy"] == 1
