"""The sample that features are ranked on: of the training split, stratified, each image once."""

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.classify.fit.screening import draw_screening_sample, stratified
from headstart.errors import DataError
from headstart.extract.images.dataset import read_dataset
from headstart.extract.images.images import Dataset, Image


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    st.integers(1, 100),
    st.integers(0, 9),
)
def test_a_sample_has_each_class_in_proportion_and_twice_at_least(sizes, count, seed):
    y = np.repeat(np.arange(len(sizes)), sizes)
    chosen = stratified(y, count, seed)
    drawn = np.bincount(y[chosen], minlength=len(sizes))
    assert len(set(chosen)) == len(chosen)
    assert (drawn >= np.minimum(sizes, 2)).all()
    least = np.minimum(sizes, 2).sum()
    assert len(chosen) == min(max(count, least), len(y))
    shares = len(chosen) * np.array(sizes) / len(y)
    assert (drawn <= np.maximum(np.ceil(shares) + 1, 2)).all()


def test_a_smaller_sample_is_part_of_a_larger_one():
    y = np.repeat([0, 1, 2], [50, 30, 20])
    assert set(stratified(y, 20, 0)) < set(stratified(y, 60, 0))
    assert set(stratified(y, 20, 0)) != set(stratified(y, 20, 1))


def test_the_sample_is_of_the_training_split_and_has_no_copies(photographs):
    shutil.copy(photographs / "red" / "1.jpg", photographs / "red" / "copy.jpg")
    images = [
        Image(image.path, image.label, "validation" if image.path.stem in "89" else "train")
        for image in read_dataset(photographs).images
    ]
    sample = draw_screening_sample(Dataset(photographs, images), 1000, seed=0)
    assert (sample.training, len(sample.digests)) == (24, 24)
    assert len(set(sample.digests)) == 24
    assert np.bincount(sample.y).tolist() == [8, 8, 8]
    assert len(sample.dataset) == 30


def test_a_dataset_of_which_no_file_can_be_read_is_an_error(tmp_path):
    dataset = Dataset(tmp_path, [Image(tmp_path / "gone.jpg", "red")])
    with pytest.raises(DataError, match="none of the 1 images can be read"):
        draw_screening_sample(dataset, 10, 0)
