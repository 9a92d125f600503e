"""A stratified part of the training images; what evaluates stays whole."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.classify.data.sampling import draw_sample
from headstart.errors import OptionError
from headstart.extract.images.images import Dataset, Image, Sampled


def dataset(counts, split="train", evaluation=7):
    images = [
        Image(Path(f"{label}/{n}.jpg"), label, split)
        for label, count in counts.items()
        for n in range(count)
    ]
    held = [Image(Path(f"held/{n}.jpg"), "a", "test") for n in range(evaluation if split else 0)]
    return Dataset(Path("photographs"), images + held)


@given(st.integers(3, 200), st.integers(0, 9))
def test_classes_keep_their_shares_and_evaluation_images_stay(size, seed):
    whole = dataset({"a": 100, "b": 60, "c": 40})
    part = draw_sample(whole, size, seed)
    trains = Counter(image.label for image in part.images if image.split == "train")
    assert sum(trains.values()) == size
    assert sum(image.split == "test" for image in part.images) == 7
    for label, share in {"a": 0.5, "b": 0.3, "c": 0.2}.items():
        assert abs(trains[label] - share * size) <= 1
    assert [image for image in whole.images if image in set(part.images)] == part.images


def test_it_says_what_it_took_and_the_same_seed_takes_the_same():
    whole = dataset({"a": 50, "b": 50})
    part = draw_sample(whole, 20, 3)
    assert part.sampled == Sampled(20, 100, 3)
    assert (
        "--sample: 20 of 100 training images, each class by its share (seed 3)" in part.warnings[0]
    )
    assert part.images == draw_sample(whole, 20, 3).images != draw_sample(whole, 20, 4).images


def test_without_splits_it_is_drawn_from_all_images():
    part = draw_sample(dataset({"a": 30, "b": 30}, split=None), 10, 0)
    assert part.counts() == {"a": 5, "b": 5}
    assert "10 of 60 images" in part.warnings[0]


@pytest.mark.parametrize("size", [None, 60, 1000])
def test_a_sample_as_large_as_the_whole_is_the_whole(size):
    whole = dataset({"a": 30, "b": 30})
    assert draw_sample(whole, size, 0) is whole


def test_a_sample_that_loses_a_class_is_refused():
    with pytest.raises(OptionError, match=r"--sample 2 leaves no image of 1 of 3 classes \(c, …\)"):
        draw_sample(dataset({"a": 90, "b": 90, "c": 2}), 2, 0)
