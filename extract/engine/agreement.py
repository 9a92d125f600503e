"""Whether two engines compute the same features."""

from __future__ import annotations

import numpy as np

from ...errors import EngineError
from .engine import Features, Images

# Largest relative error of an image's features that are computed again, on whatever engine. In 8
# bits a number that another processor rounds the other way grows to 4 or 5 % through MobileNet's
# 27 layers; so far seen where floats stand for integers.
TOLERANCES = {"float32": 1e-4, "bfloat16": 1e-2, "float16": 1e-2, "int8": 0.1}
# Against float32 they may move further: whether a head minds is asked of the head. What moves by
# half its length is not the same network.
AGAINST_FLOAT32 = {"bfloat16": 0.5, "float16": 0.5}


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
        The engine's, and TensorFlow's in float32; of a network in 8 bits its own, when it was
        made.
    precision : str
        Decides what is allowed: 1e-4 in float32, 0.1 in 8 bits, 0.5 in another.

    Raises
    ------
    EngineError
        If the error is larger; the message has the figure.
    """
    error = relative_error(features, reference)
    allowed = AGAINST_FLOAT32.get(precision, TOLERANCES[precision])
    if not error <= allowed:  # NaN is no agreement
        raise EngineError(
            f"{engine} in {precision} differs from the reference by {error:.2g} of the "
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
