"""Abstention: thresholds from out-of-fold scores, coverage and risk as they come out."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.classify.heads.abstention import (
    Abstainer,
    aurc,
    class_means,
    class_similarity,
    coverage_and_risk,
    describe_abstention,
    make_abstainer,
)
from headstart.classify.heads.training_rows import Training
from headstart.classify.statistics.intervals import wilson
from headstart.errors import ModelError, OptionError

COVERAGE = st.floats(0.001, 1.0)


@st.composite
def abstainers(draw):
    """Any confidences and similarities, ties among them."""
    n = draw(st.integers(2, 60))
    column = st.lists(
        st.sampled_from([0.2, 0.5, 0.9, 1.0]) | st.floats(0, 1), min_size=n, max_size=n
    )
    return Abstainer(
        means=np.eye(2, dtype=np.float32),
        confidence=np.array(draw(column)),
        similarity=np.array(draw(column), dtype=np.float32),
        right=np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n))),
    )


@given(abstainers(), COVERAGE, COVERAGE)
def test_a_larger_wish_never_labels_less_and_always_what_was_wished(abstainer, first, second):
    less, more = (abstainer.promise(coverage) for coverage in sorted([first, second]))
    assert less["threshold"] >= more["threshold"]
    assert less["coverage"] <= more["coverage"]
    assert less["coverage"] >= less["wished"] - 1e-9


@given(abstainers())
def test_the_curve_ends_at_coverage_1_with_the_plain_error(abstainer):
    told = describe_abstention(abstainer, abstainer.out_of_fold_scores, abstainer.right)
    last = told["curve"][-1]
    errors, n = int((~abstainer.right).sum()), len(abstainer.right)
    assert (last["wished"], last["coverage"], last["threshold"]) == (1.0, 1.0, 0.0)
    assert last["risk"] == errors / n
    assert last["risk_ci95"] == list(wilson(errors, n))
    assert told["evaluation"] == told["curve"]  # the same images, the same thresholds
    assert 0 <= told["aurc"] <= 1


@given(abstainers(), st.randoms())
def test_the_order_of_the_images_does_not_count(abstainer, random):
    order = list(range(len(abstainer.right)))
    random.shuffle(order)
    scores = abstainer.out_of_fold_scores
    assert np.isclose(aurc(scores[order], abstainer.right[order]), aurc(scores, abstainer.right))


def test_new_images_like_the_training_images_are_labelled_as_often_as_wished():
    random = np.random.default_rng(0)
    shares = []
    for _ in range(200):  # small training sets, where a plain quantile would fall short
        confidence, similarity = random.random((2, 40))
        abstainer = Abstainer(
            np.eye(2, dtype=np.float32), confidence[:20], similarity[:20], np.ones(20, dtype=bool)
        )
        scores = abstainer.scores(confidence[20:], similarity[20:])
        shares.append(np.mean(scores >= abstainer.threshold(0.9)))
    assert 0.89 <= np.mean(shares) <= 0.95


def test_the_area_is_the_mean_risk_over_all_coverages():
    right = np.array([True, False, True, True])
    scores = np.array([0.9, 0.7, 0.5, 0.3])
    assert aurc(scores, right) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert aurc(np.ones(4), right) == pytest.approx(1 / 4)  # no order at all: the plain error


def test_no_image_over_the_threshold_has_no_risk():
    told = coverage_and_risk(np.array([0.1, 0.2]), np.array([True, True]), 0.5)
    assert told == {"threshold": 0.5, "coverage": 0.0, "risk": None, "risk_ci95": None}


@pytest.mark.parametrize("coverage", [0, -0.1, 1.01, 95, float("nan")])
def test_a_coverage_out_of_range_is_refused(coverage):
    abstainer = Abstainer(np.eye(2, dtype=np.float32), np.ones(3), np.ones(3), np.ones(3, bool))
    with pytest.raises(OptionError, match=r"over 0 and up to 1 such as 0\.95, not"):
        abstainer.threshold(coverage)


def test_similarity_finds_strangers_of_whom_the_head_is_sure():
    random = np.random.default_rng(0)
    y = np.repeat([0, 1], 40)
    X = np.abs(np.eye(4)[y] * 5 + random.normal(0, 0.5, (80, 4))).astype(np.float32)
    rows = np.arange(80)
    folds = [(rows[rows % 4 != at], rows[rows % 4 == at]) for at in range(4)]
    sure = random.uniform(0.9, 0.99, 80)
    out_of_fold = np.where(y[:, None] == [0, 1], sure[:, None], 1 - sure[:, None])
    abstainer = make_abstainer(Training(X, y, folds), out_of_fold)
    strangers = np.array([[0, 0, 5, 1], [0, 0, 1, 5]], dtype=np.float32)
    scores = abstainer.judge(strangers, np.array([[0.999, 0.001], [0.001, 0.999]]))
    assert (scores < abstainer.threshold(0.95)).all()
    assert abstainer.right.all()


def test_an_images_similarity_comes_from_means_without_it():
    X = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 1]], dtype=np.float32)
    y = np.array([0, 0, 1, 1, 1])
    folds = [(np.array([0, 2, 4]), np.array([1, 3])), (np.array([1, 3]), np.array([0, 2, 4]))]
    abstainer = make_abstainer(Training(X, y, folds), np.eye(2)[y])
    assert abstainer.similarity[4] == pytest.approx(np.sqrt(0.5))
    assert class_similarity(X, abstainer.means)[4] > 0.8  # the full means have seen it


def test_rows_of_zeros_and_absent_classes_are_like_nothing():
    means = class_means(np.array([[3, 4]], dtype=np.float32), np.array([1]), 3)
    assert np.allclose(means, [[0, 0], [0.6, 0.8], [0, 0]])
    assert class_similarity(np.zeros((1, 2), dtype=np.float32), means).tolist() == [0]


def test_what_is_saved_is_what_is_read():
    abstainer = Abstainer(np.eye(2, dtype=np.float32), np.ones(3), np.ones(3), np.ones(3, bool))
    read = Abstainer.from_bytes(abstainer.to_bytes())
    assert all(
        np.array_equal(getattr(read, name), getattr(abstainer, name))
        for name in ("means", "confidence", "similarity", "right")
    )


def _npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no zip", "cannot be read"),
        (_npz(means=np.eye(2)), "cannot be read"),
        (
            _npz(means=np.eye(2), confidence=np.ones(3), similarity=np.ones(2), right=np.ones(3)),
            "do not fit together",
        ),
        (
            _npz(
                means=np.array([{}]), confidence=np.ones(3), similarity=np.ones(3), right=np.ones(3)
            ),
            "allow_pickle=False",
        ),
    ],
)
def test_spoiled_arrays_are_refused_and_pickles_never_read(data, message):
    with pytest.raises(ModelError, match=message):
        Abstainer.from_bytes(data)
