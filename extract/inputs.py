"""What Python's users hold in their hands, as images: paths, pixels, PIL images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import DataError, DecodeError
from ..text import shown
from .decode.bit_depth import FULL
from .decode.decode import upright_rgb
from .images.addresses import Reference, reference
from .images.in_memory import PixelImage
from .images.remote import Remote
from .images.shards.members import Member
from .images.shards.parquet_rows import Row
from .ledger import Failure

EXPECTED = (
    "expected paths of image files, PIL images, arrays (height, width, 3) of uint8, or one array "
    "(n, height, width, 3) of uint8"
)


def as_images(X: Any, bit_depth: int = FULL) -> list[Reference | PixelImage]:
    """Turn what scikit-learn's users hold into files and pixels, checked one by one.

    Parameters
    ----------
    X : iterable of length n, or ndarray, shape (n, height, width, 3), uint8
        Paths or URLs of image files, PIL images, arrays (height, width, 3) of uint8, RGB, or one
        array of them; a column of a data frame.
    bit_depth : int
        Bits that hold the values of PIL images of 16 bits a channel.

    Raises
    ------
    DataError
        If a PIL image cannot be made upright and RGB.
    TypeError, ValueError
        If X holds something else than images, or nothing.

    Examples
    --------
    >>> [str(image) for image in as_images(["a.jpg", np.zeros((4, 4, 3), np.uint8)])]
    ['a.jpg', 'image 1 of X']
    """
    if hasattr(X, "to_numpy"):  # a column of a data frame
        X = X.to_numpy()
    if isinstance(X, str | bytes | os.PathLike | Image.Image) or not isinstance(X, Iterable):
        raise TypeError(f"{EXPECTED}; got one {type(X).__name__}: put it in a list")
    if isinstance(X, np.ndarray):
        X = _rows(X)
    images = [_image(item, f"image {position} of X", bit_depth) for position, item in enumerate(X)]
    if not images:
        raise ValueError(f"{EXPECTED}; got 0 sample(s), a minimum of 1 is required")
    return images


def check_all_used(failures: Sequence[Failure], n: int, remedy: str) -> None:
    """Refuse failures where each of n images must give a row.

    Raises
    ------
    DataError
        Naming the first failure, its reason and the remedy.
    """
    if not failures:
        return
    more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    raise DataError(
        f"{len(failures)} of {n} images cannot be used: "
        f"{shown(failures[0].path)}: {failures[0].reason}{more}; {remedy}"
    )


def _rows(X: NDArray[Any]) -> NDArray[Any]:
    """Return an array whose first axis runs over images."""
    if X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind in "OUT":
        return X[:, 0]  # one column of paths, as a ColumnTransformer cuts it out
    if X.ndim == 1 or (X.ndim == 4 and X.dtype == np.uint8):
        return X
    raise ValueError(f"{EXPECTED}; got an array {X.shape} of {X.dtype}")


def _image(one: Any, name: str, bit_depth: int) -> Reference | PixelImage:
    if isinstance(one, str | os.PathLike):
        return reference(one)
    if isinstance(one, Remote | Member | Row):
        return one
    if isinstance(one, Image.Image):
        try:
            return PixelImage(upright_rgb(one, bit_depth=bit_depth), name)
        except DecodeError as error:
            raise DataError(f"{name} cannot be used: {error}") from error
    if not isinstance(one, np.ndarray):
        raise TypeError(f"{EXPECTED}; {name} is a {type(one).__name__}")
    if one.ndim != 3 or one.shape[2] != 3 or one.dtype != np.uint8 or not one.size:
        raise ValueError(f"{EXPECTED}; {name} is an array {one.shape} of {one.dtype}")
    return PixelImage(one, name)
