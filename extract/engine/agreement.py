"""Whether two engines compute the same features."""

from __future__ import annotations

import numpy as np

from ...errors import EngineError
from .engine import Features, Images

# Largest relative error of an image's features against TensorFlow in float32.
TOLERANCES = {"float32": 1e-4, "bfloat16": 1e-2, "float16": 1e-2}


def probe_images(size: tuple[int, int], count: int = 2) -> Images:
    """Return the images on which engines are compared: coloured noise at every scale.

    Parameters
    ----------
    size : tuple of int
        Height and width.
    count : int
        How many.

    Returns
    -------
    ndarray, shape (count, height, width, 3), uint8
    """
    height, width = size
    random = np.random.RandomState(0)  # whose numbers are frozen for ever (NEP 19)
    total = np.zeros((count, height, width, 3))
    for block in (1, 4, 16, 64):
        shape = (count, -(-height // block), -(-width // block), 3)
        coarse = random.randint(0, 256, shape)
        total += coarse.repeat(block, axis=1).repeat(block, axis=2)[:, :height, :width]
    return (total / 4).astype(np.uint8)


def check_agreement(engine: str, features: Features, reference: Features, precision: str) -> float:
    """Return the largest relative error of an image's features; refuse one that is too large.

    Parameters
    ----------
    engine : str
        For the message.
    features, reference : ndarray, shape (n, d)
        The engine's, and TensorFlow's in float32.
    precision : str
        Decides what is allowed: 1e-4 in float32, 1e-2 in reduced precision.

    Raises
    ------
    EngineError
        If the error is larger; the message has the figure.
    """
    error = relative_error(features, reference)
    allowed = TOLERANCES[precision]
    if not error <= allowed:  # NaN is no agreement
        raise EngineError(
            f"{engine} in {precision} differs from the reference in float32 by {error:.2g} of the "
            f"features' length on {len(reference)} probe images (at most {allowed:g} is allowed): "
            "refused; use --precision float32 or another --engine"
        )
    return error


def relative_error(features: Features, reference: Features) -> float:
    """Return the largest ‖features − reference‖ / ‖reference‖ over the rows.

    Examples
    --------
    >>> relative_error(np.array([[3.0, 4.0]]), np.array([[3.0, 4.5]])).__round__(4)
    0.0925
    """
    if features.shape != reference.shape:
        return float("inf")
    difference = np.linalg.norm(features.astype(np.float64) - reference, axis=1)
    length = np.maximum(np.linalg.norm(reference.astype(np.float64), axis=1), 1e-12)
    return float((difference / length).max())
