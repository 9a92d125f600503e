"""One segment: an immutable HDF5 file of features, as ``FORMAT.md`` beside this file has it."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import CacheError, first_line
from ..storage import replacing
from ..version import __version__
from .spec import FeatureSpec
from .spec_folder import DAMAGED, SUFFIX

FORMAT_VERSION = 1
CHUNK_BYTES = 1 << 20
READ_BYTES = 64 << 20

# What h5py raises for damaged bytes, by where they lie.
_UNREADABLE = (AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)


class DamagedSegmentError(CacheError):
    """A segment does not read back as it was written.

    Attributes
    ----------
    path : Path
        The segment.
    reason : str
        How it is damaged.
    digests : list of bytes
        The images whose features went with it, where its index could still be read.
    """

    def __init__(self, path: Path, reason: str, digests: Sequence[bytes] = ()) -> None:
        self.path = path
        self.reason = reason
        self.digests = list(digests)
        rows = f"its {len(self.digests)} rows" if self.digests else "its rows"
        super().__init__(
            f"segment {path} is damaged ({reason}); it was set aside with the ending "
            f"{DAMAGED} and {rows} will be extracted again"
        )


@contextlib.contextmanager
def open_segment(path: Path) -> Iterator[Any]:
    """Open a segment for reading and check that it is one.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CacheError
        If a newer headstart wrote it, or it may not be read.
    DamagedSegmentError
        If it is not a readable segment.
    """
    try:
        # Segments never change, so no lock is wanted: HDF5's are unreliable on network disks.
        file = h5py.File(path, "r", locking=False)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in (None, errno.EIO):  # HDF5's own, or the disk's
            raise DamagedSegmentError(path, reason(error)) from error
        raise CacheError(  # no permission, too many open files: nothing is wrong with it
            f"cannot read segment {path} ({reason(error)}); "
            "mend its permissions or give another place with --cache DIR"
        ) from error
    with file:
        try:
            version = int(file.attrs["format_version"])
            complete = {"digest", "features"} <= set(file)
        except _UNREADABLE as error:
            raise DamagedSegmentError(path, reason(error)) from error
        if version > FORMAT_VERSION:
            raise CacheError(
                f"segment {path} has format {version}, newer than this headstart's "
                f"{FORMAT_VERSION}; upgrade headstart or give another place with --cache DIR"
            )
        if not complete:
            raise DamagedSegmentError(path, "digest or features missing")
        yield file


def read_digests(segment: Any, spec: FeatureSpec) -> NDArray[np.uint8]:
    """Read a segment's keys, (n, 32); a failing checksum or a foreign spec is a damaged segment."""
    path = Path(os.fsdecode(segment.filename))
    try:
        written_for = np.bytes_(segment.attrs["spec"])
        table: NDArray[np.uint8] = segment["digest"][...]
        rows = segment["features"].shape[0]
    except _UNREADABLE as error:
        raise DamagedSegmentError(path, reason(error)) from error
    if written_for != spec.to_json().encode("ascii"):
        raise DamagedSegmentError(path, "it holds features of another spec")
    if table.ndim != 2 or table.shape != (rows, 32):
        raise DamagedSegmentError(path, f"{table.shape} digests for {rows} rows")
    return table


def read_widths(segment: Any, spec: FeatureSpec) -> tuple[int, ...]:
    """Read the columns of each layer."""
    path = Path(os.fsdecode(segment.filename))
    try:
        columns = int(segment["features"].shape[1])
        if "widths" in segment.attrs or len(spec.layers) > 1:
            widths = tuple(int(width) for width in segment.attrs["widths"])
        else:  # of the first headstarts, which knew no layers but one
            widths = (columns // len(spec.views),)
    except _UNREADABLE as error:
        raise DamagedSegmentError(path, reason(error)) from error
    if sum(widths) * len(spec.views) != columns:
        raise DamagedSegmentError(path, f"{widths} columns a layer do not make {columns}")
    return widths


def read_spec(segment: Any, path: Path) -> FeatureSpec:
    """Return the spec that an open segment names, which must be its folder's.

    Raises
    ------
    CacheError
        If a newer headstart wrote it.
    DamagedSegmentError
        If it cannot be read, or is another folder's.
    """
    try:
        text = np.bytes_(segment.attrs["spec"]).decode("ascii")
        spec = FeatureSpec.from_json(text)
    except TypeError as error:
        raise CacheError(
            f"segment {path} names a feature spec that this headstart does not know "
            f"({error}); upgrade headstart or give another place with --cache DIR"
        ) from error
    except (KeyError, OSError, RuntimeError, ValueError) as error:
        raise DamagedSegmentError(path, f"its spec cannot be read: {reason(error)}") from error
    if spec.folder != path.parent.name:
        raise DamagedSegmentError(path, "it holds features of another spec")
    return spec


def read_whole(path: Path, digests: list[bytes] | None = None) -> None:
    """Read all of a segment: its checksums, index, spec and values.

    Parameters
    ----------
    path : Path
        The segment, in its spec's folder.
    digests : list of bytes, optional
        Takes in its keys, as soon as they are read.

    Raises
    ------
    CacheError
        If a newer headstart wrote it, or it may not be read.
    DamagedSegmentError
        If anything in it is not as it was written.
    """
    with open_segment(path) as segment:
        spec = read_spec(segment, path)
        keys = read_digests(segment, spec)
        if digests is not None:
            digests += map(bytes, keys)
        read_widths(segment, spec)
        for _, _, block in read_blocks(segment, np.arange(len(keys))):
            if not np.isfinite(block).all():
                raise DamagedSegmentError(path, "it holds NaN or infinity")


def read_blocks(
    segment: Any, rows: NDArray[np.intp]
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Read sorted rows front to back in blocks, never row by row.

    Yields
    ------
    low, high : int
        The block holds the features of ``rows[low:high]``, in this order.
    block : ndarray, shape (high - low, d)

    Raises
    ------
    DamagedSegmentError
        If a checksum fails.
    """
    dataset = segment["features"]
    step = max(1, READ_BYTES // max(1, dataset.shape[1] * dataset.dtype.itemsize))
    # Where more than a chunk lies between two rows, a new block begins: a few rows of wide maps
    # cost no more than their own chunks.
    ends = np.append(np.flatnonzero(np.diff(rows) > dataset.chunks[0]) + 1, len(rows))
    low = 0
    while low < len(rows):
        end = int(ends[np.searchsorted(ends, low, side="right")])
        high = min(end, int(np.searchsorted(rows, rows[low] + step)))
        try:
            block = dataset[int(rows[low]) : int(rows[high - 1]) + 1]
        except _UNREADABLE as error:
            path = Path(os.fsdecode(segment.filename))
            raise DamagedSegmentError(path, reason(error)) from error
        yield low, high, block[rows[low:high] - rows[low]]
        low = high


def write_segment(
    folder: Path,
    spec: FeatureSpec,
    digests: Sequence[bytes],
    features: NDArray[Any],
    widths: tuple[int, ...],
) -> Path:
    """Write one segment and return its path once it is safely on the disk.

    Parameters
    ----------
    folder : Path
        The spec's; made when missing.
    spec : FeatureSpec
        What the features are.
    digests : sequence of bytes, length n
        SHA-256 of each image, 32 bytes each.
    features : ndarray, shape (n, d)
        In the spec's storage type, finite.
    widths : tuple of int
        Columns of each layer within one view.

    Raises
    ------
    CacheError
        If the folder cannot be written or the disk is full. What was committed before is
        untouched and the temporary file is removed.
    """
    path = folder / f"{uuid.uuid4().hex}{SUFFIX}"
    image = _image(spec, digests, features, widths)
    try:
        with replacing(path, durable=True) as temporary, open(temporary, "xb") as file:
            file.write(image)
    except OSError as error:
        raise CacheError(
            f"cannot write to the cache {folder} ({reason(error)}); features committed "
            "before are safe: free some space or give another place with --cache DIR"
        ) from error
    return path


def as_stored(features: NDArray[Any], storage: str) -> NDArray[Any]:
    """Convert to the type that goes on the disk; a value that it cannot hold is an error."""
    with np.errstate(over="ignore"):
        stored = features.astype(storage)
    if not np.isfinite(stored).all():
        raise CacheError(
            f"a feature of {np.abs(features).max():.3g} does not fit {storage}, whose largest "
            f"number is {np.finfo(storage).max:.3g}: refused, nothing was written; use "
            "--storage float32"
        )
    return stored


def _image(
    spec: FeatureSpec, digests: Sequence[bytes], features: NDArray[Any], widths: tuple[int, ...]
) -> memoryview:
    """Return a segment's bytes.

    They are made in memory: on a full disk HDF5 raises this or that at closing, while a plain
    write raises an OSError.
    """
    rows, columns = features.shape
    chunk = max(1, min(rows, CHUNK_BYTES // max(1, columns * features.itemsize)))
    # "latest" gives every piece of metadata a checksum of its own: with Fletcher-32 on the
    # data, no flipped bit goes unseen. The older format lets some through.
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver="latest") as file:
        file.attrs["format_version"] = FORMAT_VERSION
        # Of fixed length: others lie in HDF5's global heap, which has no checksum, and where one
        # flipped bit can make the library loop for ever.
        file.attrs["spec"] = np.bytes_(spec.to_json())
        file.attrs["widths"] = np.array(widths, dtype=np.int64)
        file.attrs["created_by"] = np.bytes_(f"headstart {__version__}")
        table = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(rows, 32)
        file.create_dataset("digest", data=table, chunks=(rows, 32), fletcher32=True)
        file.create_dataset("features", data=features, chunks=(chunk, columns), fletcher32=True)
    return buffer.getbuffer()


def reason(error: Exception) -> str:
    """Return an error's cause in one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return first_line(error)
