"""What an image costs in the layers above and below a freeze boundary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...extract.backbone.backbones import PIXELS
from ...extract.backbone.keras_file import multiply_adds, numbers

# Fitted to training steps of MobileNet on two cores of an AMD EPYC with AVX2, seven depths and sizes
# (they lie within 16 %; processors with AVX-512 take about half): multiply-adds do not tell it
# all, since batch norm and depthwise convolutions only pass over memory.
SECONDS_PER_BILLION = 0.059  # multiply-adds
SECONDS_PER_MILLION = 0.0019  # numbers that layers put out
FORWARD = 1 / 6  # of a training step, by an engine that only infers


def seconds_above(network: Any, below: str | None) -> float:
    """Return the seconds that one image takes in a training step, above a boundary."""
    return _seconds(_operations(network, below)[1])


def seconds_below(network: Any, below: str | None) -> float:
    """Return the seconds that one image takes from pixels to a boundary."""
    return FORWARD * _seconds(_operations(network, below)[0])


def _operations(network: Any, below: str | None) -> tuple[Sequence[Any], Sequence[Any]]:
    operations = list(network.operations)
    if below == PIXELS:
        return [], operations
    if below is None:
        return operations, []
    cut = [operation.name for operation in operations].index(below) + 1
    return operations[:cut], operations[cut:]


def _seconds(operations: Sequence[Any]) -> float:
    billions = sum(map(multiply_adds, operations)) / 1e9
    millions = sum(map(numbers, operations)) / 1e6
    return SECONDS_PER_BILLION * billions + SECONDS_PER_MILLION * millions
