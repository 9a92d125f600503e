"""What an image costs in the layers above and below a freeze boundary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...extract.backbone.backbones import PIXELS

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
    multiply_adds = numbers = 0.0
    for operation in operations:
        shape = operation.output.shape[1:]
        numbers += float(np.prod(shape))
        kernel = getattr(operation, "kernel", None)
        if kernel is not None:
            positions = float(np.prod(shape[:-1])) if len(shape) == 3 else 1.0
            multiply_adds += float(np.prod(kernel.shape)) * positions
        elif len(shape) == 2:  # a block of a transformer: its kernels at each token
            kernels = (w.shape for w in getattr(operation, "weights", ()) if len(w.shape) > 1)
            multiply_adds += sum(float(np.prod(kernel)) for kernel in kernels) * shape[0]
    return SECONDS_PER_BILLION * multiply_adds / 1e9 + SECONDS_PER_MILLION * numbers / 1e6
