"""Gates for a pipeline of other people's: a figure, or an end of its interval, against a limit."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...errors import GateError, OptionError, unknown
from .metrics import METRICS, FigureDocument

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
ENDS = {"": None, ".ci.low": 0, ".ci.high": 1}  # what may stand behind a figure's name
DIFFERENCE = "difference"  # in accuracy to the model of --compare-with
_GATE = re.compile(r"\s*(\w+)((?:\.ci\.(?:low|high))?)\s*(>=|<=|>|<)\s*(\S+)\s*")


@dataclass(frozen=True)
class Gate:
    """What must hold of one figure."""

    figure: str  # a key of METRICS, or DIFFERENCE
    end: str  # a key of ENDS
    comparison: str  # a key of OPERATORS
    limit: float

    def __str__(self) -> str:
        return f"{self.figure}{self.end}{self.comparison}{self.limit:g}"

    def unmet(self, figures: Mapping[str, FigureDocument]) -> str | None:
        """Return what is found instead; None where the gate is met."""
        figure, end = figures[self.figure], ENDS[self.end]
        value = figure["value"] if end is None else figure["ci95"][end]
        if OPERATORS[self.comparison](value, self.limit):
            return None
        return f"--assert {self} is not met: {self.figure}{self.end} is {value:.4g}"


def read_gate(text: str) -> Gate:
    """Read a gate.

    Parameters
    ----------
    text : str
        A metric, ``.ci.low`` or ``.ci.high`` where an end of its 95 % interval is meant, a
        comparison and a number.

    Raises
    ------
    OptionError
        If it reads otherwise, or there is no such metric.

    Examples
    --------
    >>> read_gate("accuracy.ci.low >= 0.9")
    Gate(figure='accuracy', end='.ci.low', comparison='>=', limit=0.9)
    """
    match = _GATE.fullmatch(text)
    limit = _number(match[4]) if match else math.nan
    if match is None or math.isnan(limit):
        raise OptionError(
            f"--assert {text!r} is not METRIC>=NUMBER, such as accuracy>=0.95 or "
            f"accuracy.ci.low>=0.9; comparisons: {', '.join(OPERATORS)}"
        )
    if match[1] not in {*METRICS, DIFFERENCE}:
        raise unknown("metric", match[1], [*METRICS, DIFFERENCE])
    return Gate(match[1], match[2], match[3], limit)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def check_measured(gates: Iterable[Gate], *, compared: bool = False) -> None:
    """Check, before anything runs, that every figure will be there.

    Parameters
    ----------
    gates : iterable of Gate
        From :func:`read_gate`.
    compared : bool
        Whether another model is evaluated beside.

    Raises
    ------
    OptionError
        If one is the difference to a model that is not there.
    """
    for gate in gates:
        if gate.figure == DIFFERENCE and not compared:
            raise OptionError(f"--assert {gate} needs 'evaluate --compare-with OLD'")


def check_gates(gates: Sequence[Gate], figures: Callable[[], Mapping[str, FigureDocument]]) -> None:
    """Check that all gates are met.

    Parameters
    ----------
    gates : sequence of Gate
        From :func:`read_gate`.
    figures : callable
        Returns what was measured; asked where there is a gate.

    Raises
    ------
    GateError
        If one is not met; the line names all that are not.
    """
    measured = figures() if gates else {}
    unmet = [line for gate in gates if (line := gate.unmet(measured))]
    if unmet:
        raise GateError("; ".join(unmet))
