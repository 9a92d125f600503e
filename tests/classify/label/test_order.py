"""Typical photographs first, then unsure ones unlike one another, and some at random."""

import numpy as np
import pytest

from headstart.classify.label.learner import can_learn, learn
from headstart.classify.label.order import ALIKE, CHECK, TYPICAL, UNSURE, Looks, what_next


def looks(count=120, clusters=6, seed=0):
    """Tight clusters around corners; the first of each is in its middle."""
    random = np.random.default_rng(seed)
    of = np.arange(count) % clusters
    away = random.normal(0, 0.05, (count, clusters)) * (np.arange(count) >= clusters)[:, None]
    points = (np.eye(clusters)[of] + away).astype(np.float32)
    density = -np.linalg.norm(away, axis=1)
    return Looks(points, density, np.arange(count)), of


def rows(batch):
    return [photograph.row for photograph in batch]


def test_the_first_are_the_middles_of_the_clusters():
    seen, _ = looks()
    batch = what_next(seen, np.zeros(120, bool), None, 6, seed=0)
    assert sorted(rows(batch)) == [0, 1, 2, 3, 4, 5]
    assert {photograph.why for photograph in batch} == {TYPICAL}


def test_clusters_without_labels_go_before_those_that_have_some():
    seen, of = looks()
    done = np.isin(of, [0, 1, 2]) & (np.arange(120) < 6)
    batch = what_next(seen, done, None, 3, seed=0)
    assert {int(of[row]) for row in rows(batch)} == {3, 4, 5}


def test_then_the_unsure_ones_go_first_and_some_are_drawn():
    seen, of = looks()
    probabilities = np.tile([0.98, 0.02], (120, 1))
    probabilities[of == 2] = [0.51, 0.49]
    done = np.arange(120) < 24
    batch = what_next(seen, done, probabilities, 10, seed=0)
    why = [photograph.why for photograph in batch]
    assert why.count(CHECK) == 1
    assert why.count(UNSURE) == 9
    unsure = [photograph.row for photograph in batch if photograph.why == UNSURE]
    assert np.mean(of[unsure] == 2) > 0.5
    assert not done[rows(batch)].any()


def test_nothing_nearly_the_same_as_what_is_done_or_shown_is_shown():
    seen, _ = looks(60)
    alike = np.arange(60) // 2  # pairs
    done = np.zeros(60, bool)
    done[[0, 5]] = True
    batch = what_next(Looks(seen.points, seen.density, alike), done, None, 60, seed=0)
    shown = alike[rows(batch)]
    assert len(set(shown)) == len(shown) == 28
    assert not {0, 2} & set(shown.tolist())


def test_copies_of_what_is_done_come_when_nothing_else_is_left():
    seen, _ = looks(60)
    done = np.arange(60) % 2 == 0
    batch = what_next(Looks(seen.points, seen.density, np.arange(60) // 2), done, None, 9, seed=0)
    assert [(photograph.row, photograph.why) for photograph in batch] == [
        (row, ALIKE) for row in range(1, 19, 2)
    ]


@pytest.mark.parametrize("left", [0, 1, 3])
def test_what_is_left_is_shown_and_no_more(left):
    seen, _ = looks()
    done = np.arange(120) < 120 - left
    for probabilities in (None, np.tile([0.6, 0.4], (120, 1))):
        batch = what_next(seen, done, probabilities, 10, seed=0)
        assert sorted(rows(batch)) == list(range(120 - left, 120))


def test_the_order_is_the_same_for_the_same_seed():
    seen, _ = looks()
    done, probabilities = np.arange(120) < 30, np.tile([0.6, 0.4], (120, 1))
    first, second = (what_next(seen, done, probabilities, 10, seed=4) for _ in range(2))
    assert first == second


def features(per_class, seed=0):
    random = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(per_class)), per_class)
    X = np.abs(np.eye(len(per_class), 12)[y] * 3 + random.normal(0, 0.3, (len(y), 12)))
    return X.astype(np.float32), y


def test_a_head_learns_from_the_labelled_alone_and_knows_how_good_it_is():
    X, y = features([30, 30, 30])
    given = np.where(np.arange(90) % 3 == 0, y, -1)
    learnt = learn(X, given, np.arange(90), 0)
    assert learnt.rows.tolist() == list(range(0, 90, 3))
    assert learnt.right.mean() == 1
    probabilities = learnt.probabilities(X)
    assert (learnt.classes[probabilities.argmax(axis=1)] == y).all()
    assert np.abs(probabilities.sum(axis=1) - 1).max() < 1e-6


def test_a_class_with_one_label_is_guessed_but_counts_as_wrong_out_of_fold():
    X, y = features([20, 20, 1])
    learnt = learn(X, y, np.arange(41), 0)
    assert not learnt.right[40]
    assert learnt.right[:40].all()
    assert learnt.probabilities(X)[40].argmax() == 2


def test_copies_never_part_across_folds():
    X, y = features([10, 10])
    random = np.random.default_rng(1)
    X = random.random((20, 12)).astype(np.float32)  # nothing to learn …
    X, y, groups = np.repeat(X, 2, axis=0), np.repeat(random.permutation(y), 2), np.arange(40) // 2
    assert learn(X, y, groups, 0).right.mean() < 0.9  # … but copies by heart
    assert learn(X, y, np.arange(40), 0).right.mean() > learn(X, y, groups, 0).right.mean()


@pytest.mark.parametrize(
    ("labels", "enough"), [([0, 0, 1], False), ([0, 0, 1, 1], True), ([], False)]
)
def test_two_of_each_of_two_classes_are_enough(labels, enough):
    assert can_learn(np.array([*labels, -1], dtype=np.intp)) == enough


def test_two_classes_and_copies_can_be_learnt():
    X, y = features([2, 2])
    assert len(learn(X, y, np.array([0, 0, 1, 1]), 0).right) == 4
