"""Which images train and which evaluate: never both."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.classify.data.split import resplit, split_images, training_images
from headstart.errors import DataError
from headstart.extract.images.dataset import read_dataset
from headstart.extract.images.images import Dataset, Image


def digest(number):
    return hashlib.sha256(str(number).encode()).digest()


def images(labels, splits=None, groups=None):
    splits, groups = splits or [None] * len(labels), groups or [None] * len(labels)
    return [
        Image(Path(f"{i}.jpg"), label, split, group)
        for i, (label, split, group) in enumerate(zip(labels, splits, groups, strict=True))
    ]


def digests(count):
    return [digest(i) for i in range(count)]


def test_given_splits_are_kept():
    splits = ["train"] * 4 + ["validation"] * 2
    split = split_images(images("ababab", splits), digests(6))
    assert (split.train.tolist(), split.evaluation.tolist()) == ([0, 1, 2, 3], [4, 5])
    assert (split.name, split.joining.size) == ("validation", 0)


def test_with_a_test_split_validation_joins_the_final_fit():
    splits = ["train"] * 4 + ["validation", "test"]
    split = split_images(images("ababab", splits), digests(6))
    assert (split.name, split.evaluation.tolist()) == ("test", [5])
    assert (split.train.tolist(), split.fitting.tolist()) == ([0, 1, 2, 3], [0, 1, 2, 3, 4])


def test_an_image_that_evaluates_does_not_train():
    keys = digests(6)
    keys[0] = keys[5]
    splits = ["train"] * 5 + ["validation"]
    split = split_images(images("aabbab", splits), keys)
    assert 0 not in split.fitting
    assert "1 training images are byte for byte in the validation split" in split.warnings[0]


@given(st.integers(30, 150), st.integers(1, 100))
def test_adding_images_moves_no_old_one(before, more):
    labels = ["cat", "dog"] * 200
    old = split_images(images(labels[:before]), digests(before))
    new = split_images(images(labels[: before + more]), digests(before + more))
    moved = set(old.evaluation.tolist()) ^ {i for i in new.evaluation.tolist() if i < before}
    assert not moved


def test_about_a_fifth_evaluates():
    split = split_images(images(["cat", "dog"] * 1000), digests(2000))
    assert 320 < len(split.evaluation) < 480
    assert split.name == "held-out fifth"


@given(st.lists(st.integers(0, 8), min_size=40, max_size=80))
def test_copies_and_groups_never_straddle(numbers):
    labels = ["cat", "dog"] * 60
    for given_groups in (False, True):
        count = len(numbers)
        keys = digests(count) if given_groups else [digest(n) for n in numbers]
        groups = [str(n) for n in numbers] if given_groups else None
        try:
            split = split_images(images(labels[:count], groups=groups), keys)
        except DataError:
            continue  # a draw of few numbers may leave a class without training images
        train = {numbers[i] for i in split.train}
        assert not train & {numbers[i] for i in split.evaluation}


def test_resplits_ignore_given_splits_differ_and_are_stable():
    splits = ["train"] * 300 + ["test"] * 100
    given = images(["cat", "dog"] * 200, splits)
    parts = [set(resplit(given, digests(400), number).evaluation.tolist()) for number in (1, 2)]
    assert parts[0] == set(resplit(given, digests(400), 1).evaluation.tolist())
    assert parts[0] != parts[1]
    assert all(40 < len(part) < 120 and part & set(range(300)) for part in parts)
    shared = parts[0] & parts[1]
    assert len(shared) < 40, "two fifths of the same images share about a fifth"


@given(st.lists(st.integers(0, 8), min_size=40, max_size=80), st.integers(1, 5))
def test_resplits_part_no_group(numbers, number):
    labels = ["cat", "dog"] * 60
    count = len(numbers)
    groups = [str(n) for n in numbers]
    try:
        split = resplit(images(labels[:count], groups=groups), digests(count), number)
    except DataError:
        return  # a draw of few numbers may leave a class without training images
    assert not {numbers[i] for i in split.fitting} & {numbers[i] for i in split.evaluation}


@given(st.lists(st.sampled_from("aaaab"), min_size=6, max_size=40), st.integers(0, 99))
def test_without_given_splits_a_class_of_two_keeps_two_for_training(labels, start):
    labels = [*labels, "b", "b", "a", "a"]
    keys = [digest(start + number) for number in range(len(labels))]
    split = split_images(images(labels), keys)
    for name in "ab":
        assert sum(labels[row] == name for row in split.train) >= 2
        evaluated = sum(labels[row] == name for row in split.evaluation)
        assert evaluated >= (1 if labels.count(name) > 2 else 0)


@pytest.mark.parametrize(
    ("labels", "splits", "message"),
    [
        ("aaaaaa", None, "all images are of the one class 'a'"),
        (
            "aaabab",
            ["train"] * 4 + ["test"] * 2,
            r"class 'b' has 1 training images \(1 in the test split\); .* needs at least 2",
        ),
        ("aabbc", ["train"] * 4 + ["test"], r"class 'c' has 0 training images \(1 in the test"),
        ("aabb", None, "no image is left to evaluate: each class keeps 2 for training"),
        ("aaabbc", None, r"class 'c' has 1 training images \(and no others\)"),
        ("aabb", ["test"] * 4, "no images left for the training split"),
    ],
)
def test_what_cannot_be_split_is_told(labels, splits, message):
    with pytest.raises(DataError, match=message):
        split_images(images(labels, splits), digests(len(labels)))


def test_training_images_are_those_that_train_by_their_digests(photographs):
    dataset = read_dataset(photographs)
    found = training_images(dataset)
    paths = [image.path for image in dataset.images]
    sums = [hashlib.sha256(path.read_bytes()).digest() for path in paths]
    train = split_images(dataset.images, sums).train
    assert found == {sums[row]: paths[row] for row in train}
    assert training_images(dataset.without_labels())
    assert training_images(Dataset(photographs, [])) == {}
