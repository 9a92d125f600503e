"""Gates: what is asked of a figure, and what is said when it is not met."""

import pytest

from headstart.classify.statistics.gates import check_gates, check_measured, read_gate
from headstart.errors import GateError, OptionError

FIGURES = {"accuracy": {"value": 0.95, "ci95": [0.9, 0.98]}, "ece": {"value": 0.02, "ci95": [0, 1]}}


@pytest.mark.parametrize(
    "text", ["accuracy>=0.95", "accuracy.ci.low>=0.9", "accuracy.ci.high < 0.99", "ece<=0.05"]
)
def test_a_gate_that_is_met_says_nothing(text):
    check_gates([read_gate(text)], lambda: FIGURES)


def test_all_gates_that_are_not_met_stand_in_one_line():
    gates = [read_gate(text) for text in ("accuracy>0.95", "accuracy.ci.low>=0.91", "ece<0.1")]
    with pytest.raises(GateError) as caught:
        check_gates(gates, lambda: FIGURES)
    assert str(caught.value) == (
        "--assert accuracy>0.95 is not met: accuracy is 0.95; "
        "--assert accuracy.ci.low>=0.91 is not met: accuracy.ci.low is 0.9"
    )


def test_nothing_is_measured_without_gates():
    check_gates([], lambda: pytest.fail("measured"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("accuracy", "is not METRIC>=NUMBER"),
        ("accuracy>=high", "is not METRIC>=NUMBER"),
        ("accuracy>=nan", "is not METRIC>=NUMBER"),
        ("accuracy.low>=0.9", "is not METRIC>=NUMBER"),
        ("acuracy>=0.9", "did you mean 'accuracy'?"),
    ],
)
def test_a_gate_that_cannot_be_read_is_told(text, says):
    with pytest.raises(OptionError, match=says.replace("?", r"\?")):
        read_gate(text)


def test_the_difference_needs_another_model():
    gate = read_gate("difference.ci.low>=-0.02")
    check_measured([gate], compared=True)
    with pytest.raises(OptionError, match="--compare-with"):
        check_measured([gate])
