"""One figure chooses the epoch, the rate and the network: held-out log loss at its best temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..heads.calibration import fit_temperature, log_loss

Logits = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """How good logits are on held-out images.

    Parameters
    ----------
    loss : float
        Log loss at the best temperature, in nats.
    accuracy : float
        Share of images labelled right.
    temperature : float
        The best: what the logits are divided by.
    """

    loss: float
    accuracy: float
    temperature: float


def judge(logits: Logits, y: NDArray[np.intp]) -> Judged:
    """Judge logits (n, k) by the labels of the images."""
    temperature = fit_temperature(logits, y)
    right = float((logits.argmax(axis=1) == y).mean())
    return Judged(log_loss(logits, y, temperature), right, temperature)


def choose_epoch(judged: Sequence[Judged]) -> int:
    """Return the epoch with the least loss, from 0: training can be refused, never forced.

    Examples
    --------
    >>> choose_epoch([Judged(0.3, 0.9, 1.0), Judged(0.2, 0.9, 1.0), Judged(0.2, 1.0, 1.0)])
    1
    """
    return int(np.argmin([epoch.loss for epoch in judged]))
