"""Documents compared to what floating point can promise.

A sum in another order, batch, thread or engine ends with other last bits. What is equal by
promise (bytes, stored features, whole numbers, the fake engine's means) is compared by ``==``.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

REL = 1e-6  # heads compute in float64; the float32 of a network's features leaves seven digits


def near(value: Any, rel: float = REL) -> Any:
    """Return what equals a document whose floats differ by rounding alone."""
    if isinstance(value, float):
        return pytest.approx(value, rel=rel, abs=1e-9, nan_ok=True)
    if isinstance(value, dict):
        return {key: near(item, rel) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(near(item, rel) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{f.name: near(getattr(value, f.name), rel) for f in fields(value) if f.init}
        )
    return value
