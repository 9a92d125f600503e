"""A linear head as plain arrays: it labels without scikit-learn, whose import takes seconds."""

from __future__ import annotations

import io
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..heads.formulas import raised, softmax

LINEAR = "linear.npz"  # of the model's file, beside the same head as scikit-learn has it


@dataclass(frozen=True)
class LinearArrays:
    """Scaler, linear head and temperature."""

    power: float  # of the features, see `PowerScaler`
    mean: NDArray[np.floating[Any]]  # (d,): taken from them
    scale: float  # what they are divided by, over 0
    coef: NDArray[np.floating[Any]]  # (k, d), or (1, d) for two classes: weights
    intercept: NDArray[np.floating[Any]]  # (k,) or (1,): added to the scores
    temperature: float  # what scores are divided by, over 0

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return what scikit-learn's pipeline does, (n, k), to the bit: the same steps."""
        scaled = (raised(X, self.power) - self.mean) / self.scale
        scores = np.asarray(scaled @ self.coef.T + self.intercept, dtype=np.float64)
        if scores.shape[1] == 1:  # two classes: scikit-learn keeps the second's row
            scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
        return softmax(scores / self.temperature)

    def to_bytes(self) -> bytes:
        """Return the arrays as an ``.npz`` file."""
        file = io.BytesIO()
        np.savez(file, **{part.name: getattr(self, part.name) for part in fields(self)})
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, classes: int) -> LinearArrays:
        """Read what :meth:`to_bytes` made; no code in it is run.

        Raises
        ------
        ValueError
            If the arrays do not fit together or hold something else than numbers.
        """
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {part.name: file[part.name] for part in fields(cls)}
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
                raise ValueError(f"{name} is no array of numbers")
        rows = 1 if classes == 2 else classes
        wanted = {"mean": arrays["mean"].shape[:1], "coef": (rows, *arrays["mean"].shape)}
        wanted |= {"intercept": (rows,), "power": (), "scale": (), "temperature": ()}
        odd = [name for name, shape in wanted.items() if arrays[name].shape != shape]
        if odd:
            raise ValueError(f"{odd[0]} does not fit {classes} classes")
        return cls(
            power=float(arrays["power"]),
            mean=arrays["mean"],
            scale=float(arrays["scale"]),
            coef=arrays["coef"],
            intercept=arrays["intercept"],
            temperature=float(arrays["temperature"]),
        )
