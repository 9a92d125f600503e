"""A model beside an older one: who is right where, and the gates on it."""

import json

import numpy as np
import pytest

from headstart.classify.predict.older import verdict
from headstart.classify.statistics.paired_tests import paired_test
from pictures import COLOURS, paint, paint_photographs


@pytest.fixture
def models(headstart, tmp_path):
    """Return a good model, and one whose photographs had red and blue swapped; and the photographs."""
    good = paint_photographs(tmp_path / "good")
    swapped = paint_photographs(tmp_path / "swapped")
    (swapped / "red").rename(swapped / "x")
    (swapped / "blue").rename(swapped / "red")
    (swapped / "x").rename(swapped / "blue")
    for data in (good, swapped):
        assert headstart("fit", "head", data, "--out", f"{data}.headstart")[0] == 0
    return f"{good}.headstart", f"{swapped}.headstart", good


def test_a_worse_model_is_told_and_stops_a_release(headstart, models):
    good, bad, data = models
    gate = ("--assert", "difference.ci.high>=0")
    status, out, err = headstart("evaluate", bad, data, "--compare-with", good, "--json", *gate)
    compared = json.loads(out)["compared_with"]
    assert compared["verdict"] == "worse than the old model"
    assert compared["tests"]["only_second"] == 0
    assert compared["evaluation"]["accuracy"] == 1.0
    assert compared["tests"]["difference"] == pytest.approx(
        json.loads(out)["evaluation"]["accuracy"] - 1
    )
    assert status == 3
    assert err.splitlines()[-1].startswith("error: --assert difference.ci.high>=0 is not met")
    status, out, _ = headstart("evaluate", good, data, "--compare-with", bad, *gate)
    assert status == 0
    assert "better than the old model: logreg of" in out


def test_equal_models_cannot_be_told_apart(headstart, models):
    good, _, data = models
    out = headstart("evaluate", good, data, "--compare-with", good)[1]
    assert "no difference from the old model can be told" in out


def test_an_old_model_that_lacks_a_class_is_refused(headstart, models, tmp_path):
    good, _, _ = models
    for number in range(10):
        paint(tmp_path / "more" / "teal" / f"{number}.png", (0, 128, 128), seed=number)
        for name, colour in COLOURS.items():
            paint(tmp_path / "more" / name / f"{number}.png", colour, seed=50 + number)
    new = tmp_path / "new.headstart"
    assert headstart("fit", "head", tmp_path / "more", "--out", new)[0] == 0
    status, _, err = headstart("evaluate", new, tmp_path / "more", "--compare-with", good)
    assert status == 1
    assert "does not know 1 of these images' classes, such as teal" in err


def test_a_difference_without_an_old_model_is_refused_before_anything_runs(headstart, models):
    status, out, err = headstart(
        "evaluate", models[0], models[2], "--assert", "difference.ci.low>=0"
    )
    assert (status, out) == (1, "")
    assert "needs 'evaluate --compare-with OLD'" in err


def test_fit_head_keeps_the_model_when_a_gate_is_not_met(headstart, photographs, tmp_path):
    out = tmp_path / "m.headstart"
    arguments = ("fit", "head", photographs, "--out", out)
    assert headstart(*arguments, "--assert", "accuracy>=0.9")[0] == 0
    status, _, err = headstart(*arguments, "--assert", "accuracy.ci.low>=0.99")
    assert status == 3
    assert "--assert accuracy.ci.low>=0.99 is not met: accuracy.ci.low is 0." in err
    assert out.exists()


def test_a_verdict_needs_more_than_chance():
    right = np.array([True] * 20)
    worse = right.copy()
    worse[:4] = False
    assert verdict(paired_test(right, worse)) == "no difference from the old model can be told"
    worse[:9] = False
    assert verdict(paired_test(right, worse)) == "worse than the old model"
