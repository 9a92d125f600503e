"""Which images a classifier was trained on: the first bytes of their digests."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError

PART = "trained-on.npy"  # of the model's file
BYTES = 8  # of 32: among a million images tried on a million, one in 18 million runs errs

Marks = NDArray[np.uint64]  # (n,), ascending, each once


def marks_of(digests: Iterable[bytes]) -> Marks:
    """Return what is kept of images: the first 8 bytes of each SHA-256, as numbers.

    Examples
    --------
    >>> marks_of([bytes(31) + b"a", bytes(7) + b"b" * 25, bytes(32)]).tolist()
    [0, 98]
    """
    return np.unique(_numbers(list(digests)))


def seen_among(marks: Marks, digests: Sequence[bytes]) -> NDArray[np.bool_]:
    """Return whether each image is among those that the marks were made of, (n,).

    Examples
    --------
    >>> seen_among(marks_of([b"a" * 32, b"b" * 32]), [b"b" * 32, b"c" * 32]).tolist()
    [True, False]
    """
    return np.isin(_numbers(digests), marks)


def to_bytes(marks: Marks) -> bytes:
    """Return the marks as an ``.npy`` file."""
    file = io.BytesIO()
    np.save(file, marks, allow_pickle=False)
    return file.getvalue()


def from_bytes(data: bytes) -> Marks:
    """Read what :func:`to_bytes` made; no code in it is run.

    Raises
    ------
    ModelError
        If it holds something else.
    """
    try:
        marks = np.load(io.BytesIO(data), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(f"the marks of the training images cannot be read: {error}") from error
    if not isinstance(marks, np.ndarray) or marks.dtype != np.uint64 or marks.ndim != 1:
        raise ModelError("the marks of the training images are no list of numbers: save it again")
    return marks


def _numbers(digests: Sequence[bytes]) -> Marks:
    first = b"".join(digest[:BYTES] for digest in digests)
    return np.frombuffer(first, dtype=">u8").astype(np.uint64)
