"""Maps of evidence, laid on the photograph where they belong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...extract.decode.frame import Frame
from ...extract.decode.resize_rules import Box

Grid = NDArray[np.float64]  # (height, width), evidence; NaN where the network saw nothing

BOX_SHARE = 0.2  # of the peak: what Zhou et al. 2016 (section 3.2) draw their boxes around


@dataclass(frozen=True)
class Map:
    """Evidence on what the network saw in one view."""

    # (height, width): evidence for the class, negative against it; as the network saw it
    values: Grid
    frame: Frame  # where that lies on the photograph


def lay_out(maps: Sequence[Map], width: int, height: int) -> Grid:
    """Add maps up on a grid over the whole upright photograph.

    Each is interpolated linearly between the middles of its cells and mirrored back where the
    network saw it mirrored. What a smaller frame shows is the denser for it: so the mean over
    the grid, what was not seen counted as 0, is the sum of the maps' means.

    Parameters
    ----------
    maps : sequence of Map
        Of one image.
    width, height : int
        Cells of the grid.

    Returns
    -------
    ndarray, shape (height, width)
        NaN where no view looks.

    Examples
    --------
    >>> half = Map(np.array([[0.0, 2.0]]), Frame(0.0, 0.0, 0.5, 1.0, mirrored=True))
    >>> lay_out([half], 4, 1)
    array([[ 4.,  0., nan, nan]])
    """
    total, seen = np.zeros((height, width)), np.zeros((height, width), dtype=bool)
    for seen_map in maps:
        frame, values = seen_map.frame, seen_map.values
        x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
        within = _inside(x, y, frame.shown)
        across = (x - frame.left) / (frame.right - frame.left)
        down = (y - frame.top) / (frame.bottom - frame.top)
        if frame.mirrored:
            across = 1 - across
        rows = _between(down, values.shape[0])
        columns = _between(across, values.shape[1])
        total += np.where(within, rows @ values @ columns.T, 0) / frame.area
        seen |= within
    return np.where(seen, total, np.nan)


def _inside(x: Grid, y: Grid, box: Box) -> NDArray[np.bool_]:
    left, top, right, bottom = box
    return ((y >= top) & (y <= bottom))[:, None] & ((x >= left) & (x <= right))[None, :]


def _between(places: Grid, cells: int) -> Grid:
    """Return the weights (places, cells) of linear interpolation between the cells' middles."""
    middles = np.clip(places * cells - 0.5, 0, cells - 1)
    weights: Grid = np.maximum(0.0, 1 - np.abs(middles[:, None] - np.arange(cells)))
    return weights


def evidence(grid: Grid) -> Grid:
    """Return what speaks for the class, 0 or more; 0 where nothing was seen.

    The rectifier of Selvaraju et al. 2017, equation 2.
    """
    return np.maximum(np.nan_to_num(grid, nan=0.0), 0.0)


def find_box(grid: Grid) -> Box | None:
    """Return the box around the main region of the evidence, in shares of the photograph.

    After Zhou et al. 2016, section 3.2: the largest connected region over a fifth of the peak.

    Returns
    -------
    (left, top, right, bottom) or None
        None where nothing speaks for the class.

    Examples
    --------
    >>> find_box(np.array([[0.0, 0.0, 0.0, 0.0], [0.0, 5.0, 4.0, 0.0]]))
    (0.25, 0.5, 0.75, 1.0)
    """
    from scipy.ndimage import find_objects, label

    heat = evidence(grid)
    if not heat.any():
        return None
    regions, _ = label(heat >= BOX_SHARE * heat.max())
    sizes = np.bincount(regions.ravel())
    rows, columns = find_objects(regions)[int(sizes[1:].argmax())]
    height, width = grid.shape
    return (
        columns.start / width,
        rows.start / height,
        columns.stop / width,
        rows.stop / height,
    )


def share_inside(grid: Grid, box: Box) -> float:
    """Return which share of the evidence lies in a box, 0 to 1.

    Parameters
    ----------
    grid : ndarray, shape (height, width)
        From :func:`lay_out`.
    box : (left, top, right, bottom)
        In shares of the photograph.
    """
    heat = evidence(grid)
    height, width = grid.shape
    x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    return float(heat[_inside(x, y, box)].sum() / max(heat.sum(), 1e-300))
