"""Occlusion: what the score loses when a grey patch hides a place."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ...extract.decode.frame import Frame
from ...extract.decode.views import Pixels
from ...extract.engine.choose import Plan
from ...extract.engine.engine import Engine
from .heat import Grid, Map
from .photograph import Photograph
from .score import Score

GREY = 127  # also that of the bars of --resize pad
CELLS = 12  # along the longer side of what the network sees
PATCH = 3  # cells along each side of a patch: a quarter of the input


def occlude(photograph: Photograph, plan: Plan, engine: Engine, score: Score) -> Map:
    """Return how much the score falls when each place is hidden, in all views at once.

    Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2. Patches overlap: a cell has the mean
    over the patches that hide it.

    Parameters
    ----------
    photograph : Photograph
        What no view shows of it is not hidden.
    plan : Plan
        Images a call, and calls at once.
    engine : Engine
        Of the model's features.
    score : callable
        Features of all views, (n, d), to scores (n,), from any number of threads.
    """
    pixels, seen = photograph.pixels, _seen(photograph.frames)
    rows, columns = _cells(pixels.shape[:2], seen)
    spots = list(product(range(len(rows) - PATCH), range(len(columns) - PATCH)))

    def look(batch: Sequence[tuple[int, int] | None]) -> NDArray[np.float64]:
        hidden = [pixels if spot is None else _hide(pixels, rows, columns, spot) for spot in batch]
        views = np.concatenate([photograph.views(changed) for changed in hidden])
        return score(engine(views).reshape(len(batch), -1))

    jobs: list[tuple[int, int] | None] = [None, *spots]
    batches = [jobs[low : low + plan.batch_size] for low in range(0, len(jobs), plan.batch_size)]
    with ThreadPoolExecutor(plan.workers) as pool:
        scores = np.concatenate(list(pool.map(look, batches)))
    losses = scores[0] - scores[1:]
    return Map(_spread(losses, spots, (len(rows) - 1, len(columns) - 1)), seen)


def _seen(frames: Sequence[Frame]) -> Frame:
    """Return the rectangle around what the views show."""
    left, top, right, bottom = zip(*(frame.shown for frame in frames), strict=True)
    return Frame(min(left), min(top), max(right), max(bottom))


def _cells(shape: tuple[int, ...], seen: Frame) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the edges of about square cells, in pixels, from top and from left."""
    sides = (
        (seen.top * shape[0], seen.bottom * shape[0]),
        (seen.left * shape[1], seen.right * shape[1]),
    )
    longest = max(high - low for low, high in sides)
    counts = [max(PATCH + 1, round(CELLS * (high - low) / longest)) for low, high in sides]
    rows, columns = (
        np.linspace(low, high, count + 1).round().astype(np.intp)
        for (low, high), count in zip(sides, counts, strict=True)
    )
    return rows, columns


def _hide(
    pixels: Pixels, rows: NDArray[np.intp], columns: NDArray[np.intp], spot: tuple[int, int]
) -> Pixels:
    hidden = pixels.copy()
    row, column = spot
    hidden[rows[row] : rows[row + PATCH], columns[column] : columns[column + PATCH]] = GREY
    return hidden


def _spread(
    losses: NDArray[np.float64], spots: Sequence[tuple[int, int]], shape: tuple[int, int]
) -> Grid:
    total, count = np.zeros(shape), np.zeros(shape)
    for loss, (row, column) in zip(losses, spots, strict=True):
        covered = slice(row, row + PATCH), slice(column, column + PATCH)
        total[covered] += loss
        count[covered] += 1
    return total / count
