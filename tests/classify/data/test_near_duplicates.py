"""Near-identical images: found by what is usual in their class, never parted by folds."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from headstart.cache import FeatureSpec, FeatureStore
from headstart.cache.rows import StoredRows
from headstart.classify.data.columns import TapSelector
from headstart.classify.data.folds import make_folds
from headstart.classify.data.groups import connect, group_images, same
from headstart.classify.data.near_duplicates import (
    Directions,
    NearPairs,
    find_neighbours,
    near_pairs,
)
from headstart.classify.data.table import load_table
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source
from pictures import COLOURS, paint


def digests(count):
    return [hashlib.sha256(str(i).encode()).digest() for i in range(count)]


def features(count, seed=0, columns=64):
    """Unrelated images, as non-negative as a ReLU's output."""
    rng = np.random.default_rng(seed)
    return np.maximum(rng.normal(size=(count, columns)), 0).astype(np.float32)


def nearly(row, seed=0):
    noise = np.random.default_rng(seed).normal(0, 0.02, row.shape)
    return np.maximum(row + noise, 0).astype(np.float32)


def found(X, y, keys=None, **buckets):
    directions = Directions(X)
    neighbours = find_neighbours(directions, keys or digests(len(X)), **buckets)
    pairs = near_pairs(directions, neighbours, np.asarray(y))
    return set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))


def test_copies_are_found_and_unrelated_images_are_not():
    X = features(60)
    X[40], X[7] = nearly(X[3], 1), nearly(X[12], 2)
    assert found(X, np.arange(60) % 3) == {(3, 40), (7, 12)}


def test_a_copy_with_another_label_is_found():
    X = features(40)
    X[:20, :8] += 3  # class 0 looks different
    X[30] = nearly(X[2])
    assert found(X, np.repeat([0, 1], 20)) == {(2, 30)}


def test_images_of_one_look_are_told_apart_however_alike_the_class_is():
    X = 100 + features(40)  # cosine similarity of any two: over 0.999
    assert found(X, np.zeros(40, int)) == set()
    X[9] = X[4] + 0.01
    assert found(X, np.zeros(40, int)) == {(4, 9)}


def test_exact_copies_count_once_and_leave_room_for_near_ones():
    keys = digests(40)
    X = features(40)
    for row in range(20, 35):  # fifteen files of the same bytes
        X[row], keys[row] = X[3], keys[3]
    X[36] = nearly(X[3])
    assert found(X, np.arange(40) % 2, keys) == {(3, 36)}


def test_a_burst_longer_than_the_neighbours_looked_at_is_one_group():
    X = features(60)
    for row in range(20):
        X[row] = nearly(X[0], seed=row)
    one, other = np.array(sorted(found(X, np.zeros(60, int)))).T
    groups = connect(60, [(one, other)])
    assert len(set(groups[:20].tolist())) == 1
    assert len(set(groups.tolist())) == 41


def test_many_images_are_compared_in_buckets_that_look_alike():
    X = features(200)
    for row in range(8):
        X[100 + row] = nearly(X[row], seed=row)
    everything = {(row, 100 + row) for row in range(8)}
    pairs = found(X, np.arange(200) % 2, all_compared=100, bucket=40)
    assert pairs <= everything
    assert len(pairs) >= 7


def test_neighbours_over_the_border_of_a_bucket_are_found():
    """Points on a line are parted somewhere, and the nearest of those at the cut lie beyond."""
    angles = np.sort(np.random.default_rng(0).uniform(0.1, 1.4, 400))
    X = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32) ** 2
    whole = find_neighbours(Directions(X), digests(400))
    parted = find_neighbours(Directions(X), digests(400), all_compared=200, bucket=40)
    same = [len(np.intersect1d(*pair)) for pair in zip(whole.indices, parted.indices, strict=True)]
    assert np.mean(same) / 10 > 0.99
    assert (np.diff(parted.distances, axis=1) >= 0).all()
    assert not (parted.indices == np.arange(400)[:, None]).any()


def test_of_several_layers_and_views_the_last_and_the_first_count():
    X = features(30)
    both = np.concatenate([features(30, 1), X, features(30, 2), features(30, 3)], axis=1)
    taps = TapSelector(widths=(64, 64), views=2)
    rows = np.arange(30)
    np.testing.assert_allclose(Directions(both, taps)[rows], Directions(X)[rows], rtol=1e-6)


def test_features_on_the_disk_give_the_same_pairs(tmp_path):
    spec = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 8), "crop", "none", "float32", 1)
    store = FeatureStore(tmp_path, spec)
    X = features(40)
    X[30] = nearly(X[5])
    keys = digests(40)
    store.append(keys[::-1], X[::-1])
    y = np.arange(40) % 2
    assert found(StoredRows(store, keys), y, keys) == found(X, y, keys) == {(5, 30)}


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_constant_features_make_no_pairs(count):
    assert found(np.ones((count, 8), np.float32), np.zeros(count, int)) == set()
    assert found(np.zeros((count, 8), np.float32), np.zeros(count, int)) == set()


def test_tiny_classes_are_measured_by_all_images():
    X = features(8)
    X[1] = nearly(X[0])
    assert found(X, [0, 0, 1, 1, 2, 2, 3, 3]) == {(0, 1)}


def test_given_groups_the_same_bytes_and_near_identity_are_joined():
    keys = digests(8)
    keys[5] = keys[4]
    named = ["a", "a", *"cdefgh"]
    near = NearPairs(np.array([1, 3]), np.array([2, 4]), np.ones(2))
    y = np.array([0, 0, 0, 1, 1, 1, 0, 1])
    groups, loosened = group_images([same(keys), same(named)], near, y, np.arange(8))
    assert groups.tolist() == [0, 0, 0, 1, 1, 1, 2, 3]
    assert loosened.size == 0


def test_a_class_that_would_melt_into_one_group_keeps_its_images_apart():
    chain = np.arange(9)
    near = NearPairs(
        np.append(chain, 12), np.append(chain + 1, 13), np.ones(10)
    )  # ten frames of one film in class 0, two copies in class 1
    y = np.repeat([0, 1], 10)
    groups, loosened = group_images([same(digests(20))], near, y, np.arange(20))
    assert loosened.tolist() == [0]
    assert len(set(groups[:10].tolist())) == 10
    assert groups[12] == groups[13]


@given(st.data())
def test_near_identity_never_makes_folds_impossible(data):
    n = data.draw(st.integers(4, 30))
    y = np.array([0, 0, 1, 1, *data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))])
    rows = st.integers(0, len(y) - 1)
    ends = np.array(data.draw(st.lists(st.tuples(rows, rows), max_size=60)), int).reshape(-1, 2)
    near = NearPairs(ends[:, 0], ends[:, 1], np.ones(len(ends)))
    groups, loosened = group_images([same(digests(len(y)))], near, y, np.arange(len(y)))
    for label in (0, 1):
        assert len(set(groups[y == label].tolist())) >= 2
    for one, other in ends.tolist():
        parted = groups[one] != groups[other]
        assert not parted or {y[one], y[other]} & set(loosened.tolist())


@pytest.fixture
def with_copies(photographs):
    """Three pictures of each colour, saved once more at another quality."""
    for name in COLOURS:
        for number in (1, 2, 3):
            picture = Image.open(photographs / name / f"{number}.jpg")
            picture.save(photographs / name / f"{number}-again.jpg", quality=80)
    return photographs


def table(root, fake_engine, tmp_path):
    options = Execution(cache=tmp_path / "cache")
    return load_table(read_dataset(root), feature_source(execution=options))


def test_folds_never_part_copies_that_were_saved_again(with_copies, fake_engine, tmp_path):
    laid = table(with_copies, fake_engine, tmp_path)
    row = {(path.parent.name, path.stem): at for at, path in enumerate(laid.paths)}
    for name in COLOURS:
        for number in ("1", "2", "3"):
            one, other = row[name, number], row[name, f"{number}-again"]
            assert laid.groups[one] == laid.groups[other]
    for train, held in make_folds(laid.y, laid.groups, seed=0):
        assert not set(laid.groups[train]) & set(laid.groups[held])


def test_training_images_that_nearly_evaluate_are_told(tmp_path, fake_engine):
    root = tmp_path / "pictures"
    for c, (name, colour) in enumerate(COLOURS.items()):
        for number in range(12):
            part = "train" if number < 9 else "test"
            paint(root / part / name / f"{number}.jpg", colour, seed=100 * c + number)
    picture = Image.open(root / "test" / "red" / "10.jpg")
    picture.save(root / "train" / "red" / "again.jpg", quality=80)
    lines = [line for line in table(root, fake_engine, tmp_path).warnings if "nearly" in line]
    assert len(lines) == 1
    assert lines[0].startswith("1 training images look nearly the same as images of the test split")
    assert "again.jpg and " in lines[0]
    assert lines[0].endswith("'headstart inspect' shows them all")


def test_a_class_of_one_film_is_told(tmp_path, fake_engine):
    root = tmp_path / "pictures"
    for number in range(12):
        part = "train" if number < 9 else "test"
        paint(root / part / "green" / f"{number}.jpg", COLOURS["green"], seed=number)
        frame = (150 + 8 * number, 50, 40)  # each is nearest to the next
        paint(root / part / "red" / f"{number}.jpg", frame, seed=0)
    lines = [line for line in table(root, fake_engine, tmp_path).warnings if "'red'" in line]
    assert len(lines) == 1
    assert lines[0].startswith("all images of class 'red' look nearly the same, so folds keep")
