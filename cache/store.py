"""Segments of one feature spec: append, look up, read.

A segment is one immutable HDF5 file, written under a temporary name in the
same folder, flushed to the disk and renamed. ``FORMAT.md`` beside this file
is the contract. Nothing here locks: any number of processes may append at
once, since no file is ever changed after its rename.
"""

from __future__ import annotations

import contextlib
import os
import socket
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..errors import CacheError
from .spec import FeatureSpec

FORMAT_VERSION = 1
SUFFIX = ".h5"
DAMAGED = ".damaged"
CHUNK_BYTES = 1 << 20
READ_BYTES = 64 << 20

# What h5py raises for damaged bytes, by where they lie.
_UNREADABLE = (KeyError, OSError, RuntimeError, TypeError, ValueError)

Digests = NDArray[np.uint8]  # (n, 32)
Features = NDArray[np.float32]  # (n, d)


class DamagedSegmentError(CacheError):
    """A segment did not read back as it was written; it was set aside.

    Attributes
    ----------
    path : Path
        The segment.
    digests : list of bytes
        The rows that went with it, where its index could still be read.
    """

    def __init__(self, path: Path, reason: str, digests: list[bytes] | None = None) -> None:
        self.path = path
        self.digests = digests or []
        super().__init__(
            f"segment {path} is damaged ({reason}); it was set aside with the ending "
            f"{DAMAGED} and its {len(self.digests)} rows will be extracted again"
        )


@dataclass
class FeatureStore:
    """The segments of one spec in one cache folder.

    Parameters
    ----------
    cache : Path
        The cache's root folder.
    spec : FeatureSpec
        What the features are.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from headstart.cache.spec import FeatureSpec
    >>> spec = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 8), "squash", "none",
    ...                    "float32", 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = FeatureStore(Path(folder), spec)
    ...     _ = store.append([b"a" * 32, b"b" * 32], np.eye(2, 3, dtype=np.float32))
    ...     FeatureStore(Path(folder), spec).read([b"b" * 32])
    array([[0., 1., 0.]], dtype=float32)
    """

    cache: Path
    spec: FeatureSpec
    damaged: list[DamagedSegmentError] = field(default_factory=list)
    _segments: dict[str, int] = field(default_factory=dict, repr=False)
    _rows: dict[bytes, tuple[str, int]] = field(default_factory=dict, repr=False)
    _widths: tuple[int, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        self.folder = self.cache / self.spec.folder
        self.refresh()

    @property
    def dimension(self) -> int | None:
        """Number of columns of a row; None while the store is empty."""
        return sum(self._widths) * len(self.spec.views) or None

    @property
    def widths(self) -> tuple[int, ...]:
        """Columns of each layer within one view; empty while the store is."""
        return self._widths

    def __contains__(self, digest: object) -> bool:
        return digest in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def refresh(self) -> None:
        """Take in the segments that appeared since the last look."""
        remove_stale_temporaries(self.folder)
        paths = segment_paths(self.folder)
        gone = self._segments.keys() - {path.name for path in paths}
        if gone:  # compacted or cleared by another process
            self._segments.clear()
            self._rows.clear()
        for path in paths:
            if path.name not in self._segments:
                self._add(path)

    def _add(self, path: Path) -> None:
        try:
            with open_segment(path) as segment:
                digests = read_digests(segment, self.spec)
                widths = read_widths(segment, self.spec)
        except FileNotFoundError:
            return  # compacted away between listing and opening
        except DamagedSegmentError as error:
            set_aside(path)
            self.damaged.append(error)
            return
        self._segments[path.name] = len(digests)
        self._widths = widths
        for row, digest in enumerate(digests):
            self._rows.setdefault(digest, (path.name, row))

    def append(
        self,
        digests: Sequence[bytes],
        features: NDArray[Any],
        widths: tuple[int, ...] | None = None,
    ) -> Path:
        """Write one segment and return its path once it is safely on the disk.

        Parameters
        ----------
        digests : sequence of bytes, length n
            SHA-256 of each image, 32 bytes each.
        features : ndarray, shape (n, d)
            float32, finite; written in the spec's storage type.
        widths : tuple of int, optional
            Columns of each layer within one view; all in one when None.

        Raises
        ------
        CacheError
            If a value is not finite, the folder cannot be written or the disk
            is full. What was committed before is untouched and the temporary
            file is removed.
        ValueError
            If the shapes do not fit.
        """
        if features.ndim != 2 or len(features) != len(digests) or not len(digests):
            raise ValueError(f"{len(digests)} digests do not fit features {features.shape}")
        views = len(self.spec.views)
        widths = widths or (features.shape[1] // views,)
        if sum(widths) * views != features.shape[1]:
            raise ValueError(f"{views} views of {widths} columns do not fit {features.shape}")
        if not np.isfinite(features).all():
            raise CacheError(
                "the backbone gave NaN or infinity: refused, nothing was written; are these the "
                f"right weights? ({self.spec.backbone}, SHA-256 {self.spec.weights_sha256[:12]}…)"
            )
        features = _stored(features, self.spec.storage)
        name = uuid.uuid4().hex
        final = self.folder / f"{name}{SUFFIX}"
        temporary = self.folder / f".{name}.{socket.gethostname()}.{os.getpid()}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_segment(temporary, self.spec, digests, features, widths)
            os.replace(temporary, final)
            _sync_folder(self.folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise CacheError(
                f"cannot write to the cache {self.folder} ({_reason(error)}); features committed "
                "before are safe: free some space or give another place with --cache DIR"
            ) from error
        self._add(final)
        return final

    def read(self, digests: Sequence[bytes]) -> Features:
        """Read the features of these images, in this order.

        Segments are read from front to back in blocks, never row by row.

        Parameters
        ----------
        digests : sequence of bytes, length n
            May repeat.

        Returns
        -------
        ndarray, shape (n, d), float32

        Raises
        ------
        KeyError
            If a digest is not in the store.
        DamagedSegmentError
            If a checksum fails. The segment is set aside and its rows are no
            longer held, so that extracting again mends the cache.
        """
        wanted: dict[str, list[tuple[int, int]]] = {}
        for position, digest in enumerate(digests):
            name, row = self._rows[digest]
            wanted.setdefault(name, []).append((row, position))
        out: Features = np.empty((len(digests), self.dimension or 0), dtype=np.float32)
        for name, pairs in wanted.items():
            rows, positions = np.array(sorted(pairs), dtype=np.intp).T
            try:
                with open_segment(self.folder / name) as segment:
                    for low, high, block in _blocks(segment["features"], rows):
                        out[positions[low:high]] = block[rows[low:high] - rows[low]]
            except OSError as error:
                raise self._drop(name, error) from error
            except DamagedSegmentError as error:
                raise self._drop(name, error) from error
        return out

    def _drop(self, name: str, error: Exception) -> DamagedSegmentError:
        lost = [digest for digest, (segment, _) in self._rows.items() if segment == name]
        for digest in lost:
            del self._rows[digest]
        self._segments.pop(name, None)
        set_aside(self.folder / name)
        damage = DamagedSegmentError(self.folder / name, _reason(error), lost)
        self.damaged.append(damage)
        return damage


def segment_paths(folder: Path) -> list[Path]:
    """List the committed segments of one spec's folder, sorted by name."""
    try:
        entries = [Path(entry.path) for entry in os.scandir(folder)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise CacheError(
            f"cannot read the cache {folder} ({_reason(error)}); "
            "mend its permissions or give another place with --cache DIR"
        ) from error
    return sorted(p for p in entries if p.suffix == SUFFIX and not p.name.startswith("."))


@contextlib.contextmanager
def open_segment(path: Path) -> Iterator[Any]:
    """Open a segment for reading and check that it is one.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CacheError
        If a newer headstart wrote it.
    DamagedSegmentError
        If it is not a readable segment.
    """
    try:
        # Segments never change, so no lock is wanted: HDF5's are unreliable on network disks.
        file = h5py.File(path, "r", locking=False)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DamagedSegmentError(path, _reason(error)) from error
    with file:
        try:
            version = int(file.attrs["format_version"])
            complete = {"digest", "features"} <= set(file)
        except _UNREADABLE as error:
            raise DamagedSegmentError(path, _reason(error)) from error
        if version > FORMAT_VERSION:
            raise CacheError(
                f"segment {path} has format {version}, newer than this headstart's "
                f"{FORMAT_VERSION}; upgrade headstart or give another place with --cache DIR"
            )
        if not complete:
            raise DamagedSegmentError(path, "digest or features missing")
        yield file


def read_digests(segment: Any, spec: FeatureSpec) -> list[bytes]:
    """Read a segment's keys; a failing checksum or a foreign spec is a damaged segment."""
    path = Path(os.fsdecode(segment.filename))
    try:
        written_for = np.bytes_(segment.attrs["spec"])
        table = segment["digest"][...]
        rows = segment["features"].shape[0]
    except _UNREADABLE as error:
        raise DamagedSegmentError(path, _reason(error)) from error
    if written_for != spec.to_json().encode("ascii"):
        raise DamagedSegmentError(path, "it holds features of another spec")
    if table.ndim != 2 or table.shape != (rows, 32):
        raise DamagedSegmentError(path, f"{table.shape} digests for {rows} rows")
    return [row.tobytes() for row in table]


def read_widths(segment: Any, spec: FeatureSpec) -> tuple[int, ...]:
    """Read the columns of each layer; segments of one layer may leave them out."""
    path = Path(os.fsdecode(segment.filename))
    columns = int(segment["features"].shape[1])
    try:
        widths = tuple(int(width) for width in segment.attrs["widths"])
    except KeyError:
        widths = (columns // len(spec.views),)
    except _UNREADABLE as error:
        raise DamagedSegmentError(path, _reason(error)) from error
    if sum(widths) * len(spec.views) != columns:
        raise DamagedSegmentError(path, f"{widths} columns a layer do not make {columns}")
    return widths


def set_aside(path: Path) -> None:
    """Rename a damaged segment, so that it is neither read again nor lost to inspection."""
    with contextlib.suppress(OSError):  # a read-only cache: it stays, and stays refused
        os.replace(path, path.with_name(path.name + DAMAGED))


def remove_stale_temporaries(folder: Path) -> list[Path]:
    """Remove temporary files whose writer on this machine is dead; return them."""
    removed = []
    for path in folder.glob(".*.tmp"):
        _, _, writer = path.stem[1:].partition(".")
        host, _, pid = writer.rpartition(".")
        if not (pid.isascii() and pid.isdigit()):
            continue  # another program's, such as a synchroniser's
        if host == socket.gethostname() and not _alive(int(pid)):
            with contextlib.suppress(OSError):
                path.unlink()
                removed.append(path)
    return removed


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _write_segment(
    path: Path,
    spec: FeatureSpec,
    digests: Sequence[bytes],
    features: NDArray[Any],
    widths: tuple[int, ...],
) -> None:
    rows, columns = features.shape
    chunk = max(1, min(rows, CHUNK_BYTES // max(1, columns * features.itemsize)))
    # "latest" gives every piece of metadata a checksum of its own: with Fletcher-32 on the
    # data, no flipped bit goes unseen. The older format lets some through.
    with h5py.File(path, "x", libver="latest", locking=False) as file:
        file.attrs["format_version"] = FORMAT_VERSION
        # Of fixed length: others lie in HDF5's global heap, which has no checksum, and where one
        # flipped bit can make the library loop for ever.
        file.attrs["spec"] = np.bytes_(spec.to_json())
        file.attrs["widths"] = np.array(widths, dtype=np.int64)
        file.attrs["created_by"] = np.bytes_(f"headstart {__version__}")
        table = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(rows, 32)
        file.create_dataset("digest", data=table, chunks=(rows, 32), fletcher32=True)
        file.create_dataset("features", data=features, chunks=(chunk, columns), fletcher32=True)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stored(features: NDArray[Any], storage: str) -> NDArray[Any]:
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


def _blocks(dataset: Any, rows: NDArray[np.intp]) -> Iterator[tuple[int, int, NDArray[Any]]]:
    """Read sorted rows in runs: (low, high, rows[low] to rows[high - 1] of the dataset).

    A run ends where more than a chunk lies between two rows: a few rows of wide
    maps cost no more than their own chunks.
    """
    step = max(1, READ_BYTES // max(1, dataset.shape[1] * dataset.dtype.itemsize))
    ends = np.append(np.flatnonzero(np.diff(rows) > dataset.chunks[0]) + 1, len(rows))
    low = 0
    while low < len(rows):
        end = int(ends[np.searchsorted(ends, low, side="right")])
        high = min(end, int(np.searchsorted(rows, rows[low] + step)))
        yield low, high, dataset[int(rows[low]) : int(rows[high - 1]) + 1]
        low = high


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).splitlines()[0] if str(error) else type(error).__name__
