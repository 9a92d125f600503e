"""Known labels answer for the person: curves of both orders, and how many labels a goal takes."""

import numpy as np
import pytest

from headstart.classify.data.collection import Collection
from headstart.classify.label.learner import learn
from headstart.classify.label.quality import advise, forecast_gain
from headstart.classify.label.simulate import simulate
from headstart.errors import DataError
from headstart.extract.images.images import Image


def rare_classes(labelled=True):
    """Five frequent and five rare classes around corners, train and test."""
    random = np.random.default_rng(0)
    counts = [40] * 5 + [6] * 5
    y = np.concatenate([np.repeat(np.arange(10), counts), np.repeat(np.arange(10), 5)])
    X = np.abs(np.eye(10, 32)[y] * 3 + random.normal(0, 0.5, (len(y), 32))).astype(np.float32)
    parts = ["train"] * sum(counts) + ["test"] * 50
    images = [
        Image(f"{n}.jpg", f"class {c}" if labelled else "", part)
        for n, (c, part) in enumerate(zip(y, parts, strict=True))
    ]
    rows = X / np.linalg.norm(X, axis=1, keepdims=True)
    digests = [n.to_bytes(32) for n in range(len(y))]
    return Collection("x", images, rows, X, None, digests, [], [])


def test_the_chosen_order_needs_fewer_labels_where_classes_are_rare():
    document = simulate(rare_classes(), seeds=2, most=230, goal=0.9)
    chosen, random = (strategy["needed"]["mean"] for strategy in document["strategies"])
    assert chosen < 0.7 * random
    assert document["fewer"]["mean"] == pytest.approx(
        np.mean(
            [
                a / b
                for a, b in zip(
                    *(s["needed"]["by_seed"] for s in document["strategies"]), strict=True
                )
            ]
        )
    )
    for strategy in document["strategies"]:
        for point in strategy["points"]:
            assert point["ci95"][0] <= point["accuracy"] <= point["ci95"][1]


def test_a_goal_out_of_reach_has_no_number():
    document = simulate(rare_classes(), seeds=1, most=20, goal=0.999)
    assert document["strategies"][1]["needed"]["mean"] is None


def test_labels_that_are_missing_are_told():
    with pytest.raises(DataError, match="name a labelled dataset"):
        simulate(rare_classes(labelled=False), 1, 20)


def noisy(count):
    random = np.random.default_rng(0)
    y = np.arange(count) % 2
    X = np.abs(y[:, None] + random.normal(0, 1.5, (count, 6))).astype(np.float32)
    return X, y


def test_the_forecast_says_what_more_labels_bring():
    X, y = noisy(400)
    groups = np.arange(400)

    def relearn(rows):
        part = np.full(400, -1)
        part[rows] = y[rows]
        return learn(X, part, groups, 0)

    gain = forecast_gain(learn(X, y, groups, 0), relearn, 0)
    assert gain["ci95"][0] <= gain["gain"] <= gain["ci95"][1]
    assert 0 <= gain["gain"] < 0.1
    few = np.where(groups < 100, y, -1)
    assert forecast_gain(learn(X, few, groups, 0), relearn, 0) is None


def test_advice_follows_the_forecast():
    assert advise(None).startswith("Go on")
    assert advise({"labels": 50, "gain": 0.03, "ci95": [0.01, 0.05]}).startswith("Go on")
    assert advise({"labels": 50, "gain": 0.001, "ci95": [0, 0.005]}).startswith("Stop")
