"""The features of one spec: append, look up, read.

Nothing here locks: any number of processes may append at once, since a
segment is never changed after its rename.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CacheError
from .mirror import remote_of
from .remote import RemoteCache
from .segment import (
    DamagedSegmentError,
    open_segment,
    read_blocks,
    read_digests,
    read_widths,
    write_segment,
)
from .spec import FeatureSpec
from .spec_folder import remove_stale_temporaries, segment_paths, set_aside
from .statindex import at_rest

FETCH_SECONDS = 10.0  # between two looks at a cache behind a URL
LISTINGS = 3  # of a folder that seems to have lost rows, before that is believed

Features = NDArray[np.float32]  # (n, d)


@dataclass
class FeatureStore:
    """The segments of one spec in one cache folder.

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

    cache: Path  # the cache's root folder
    spec: FeatureSpec  # what the features are
    damaged: list[DamagedSegmentError] = field(default_factory=list)
    _segments: set[str] = field(default_factory=set, repr=False)
    _refused: set[str] = field(default_factory=set, repr=False)  # damaged, told already
    _rows: dict[bytes, tuple[str, int]] = field(default_factory=dict, repr=False)
    _widths: tuple[int, ...] = field(default=(), repr=False)
    _listed_ns: int | None = field(default=None, repr=False)  # the folder's time when last listed
    _remote: RemoteCache | None = field(default=None, repr=False)
    _fetched: float = field(default=-FETCH_SECONDS, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def __post_init__(self) -> None:
        self.folder = self.cache / self.spec.folder
        self._remote = remote_of(self.cache)
        remove_stale_temporaries(self.folder)
        self.refresh()

    def __getstate__(self) -> dict[str, Any]:
        """Leave the lock behind: it cannot travel to another process."""
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.RLock())

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

    def digests(self) -> set[bytes]:
        """Return the images that are held."""
        return set(self._rows)

    def refresh(self, *, anew: bool = False) -> None:
        """Take in what other processes added, merged or removed since the last look.

        Parameters
        ----------
        anew : bool
            Read the keys of all segments again.
        """
        with self._lock:
            self._fetch(anew=anew)
            known = len(self.damaged)
            self._look(anew=anew)
            if self._remote is not None and len(self.damaged) > known:
                self._fetch(anew=True)  # behind the URL it may be whole
                self._look(anew=False)

    def _look(self, *, anew: bool) -> None:
        """Take in what changed in the folder."""
        with self._lock:
            now, stat = time.time_ns(), _stat(self.folder)
            if not anew and stat is not None and stat.st_mtime_ns == self._listed_ns:
                return
            # A segment that was merged between listing and opening, or behind the listing's back:
            # the folder is listed again. Rows that stay away after that were removed by someone.
            listings = 0
            while not self._take_in(segment_paths(self.folder), anew, listings >= LISTINGS):
                listings += 1
            # A folder that may change within its clock's tick is listed again next time.
            settled = stat is not None and at_rest(stat, now)
            self._listed_ns = stat.st_mtime_ns if stat is not None and settled else None

    def _fetch(self, *, anew: bool) -> None:
        """Take in what lies behind the cache's URL, if it has one, every now and then."""
        if self._remote is None:
            return
        now = time.monotonic()
        if anew or now - self._fetched >= FETCH_SECONDS:
            self._fetched = now
            self.damaged += self._remote.fetch(self.folder)

    def _take_in(self, paths: list[Path], anew: bool, rows_may_go: bool) -> bool:
        """Read the keys of segments; tell whether the listing can be believed.

        A listing is not atomic: it may have passed the place where a merged segment then
        appears, and come too late for those that it replaced. Such a listing lacks rows.
        """
        anew = anew or bool(self._segments - {path.name for path in paths})
        segments, rows = (set(), {}) if anew else (self._segments, self._rows)
        for path in paths:
            if path.name not in segments and path.name not in self._refused:
                try:
                    self._add(path, segments, rows)
                except FileNotFoundError:
                    return False
        if not rows_may_go and not rows.keys() >= self._rows.keys():
            return False
        self._segments, self._rows = segments, rows
        return True

    def _add(self, path: Path, segments: set[str], rows: dict[bytes, tuple[str, int]]) -> None:
        try:
            with open_segment(path) as segment:
                digests = read_digests(segment, self.spec)
                widths = read_widths(segment, self.spec)
        except DamagedSegmentError as error:
            if not path.exists():  # merged while it was read: its rows lie elsewhere
                raise FileNotFoundError(path) from error
            self._refuse(error)
            return
        segments.add(path.name)
        self._widths = widths
        for row, digest in enumerate(digests):
            rows.setdefault(digest, (path.name, row))

    def _refuse(self, error: DamagedSegmentError) -> None:
        set_aside(error.path)
        if error.path.exists():  # a read-only cache
            self._refused.add(error.path.name)
        self.damaged.append(error)

    def append(
        self,
        digests: Sequence[bytes],
        features: NDArray[Any],
        widths: tuple[int, ...] | None = None,
    ) -> Path:
        """Write one segment and return its path once it is safe.

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
        UnsentError
            If the cache lies behind a URL and only this machine could write it:
            the rows are held, and put there by the next run.
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
        path = write_segment(self.folder, self.spec, digests, features, widths)
        self._look(anew=False)
        if self._remote is not None:
            self._remote.put(path)
        return path

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
                    for low, high, block in read_blocks(segment, rows):
                        out[positions[low:high]] = block
            except FileNotFoundError:
                self._lost(name, "no such file")
                return self.read(digests)  # compacted by another process: the rows lie elsewhere
            except DamagedSegmentError as error:
                self._lost(name, error.reason)
                return self.read(digests)  # other segments hold the same rows
        return out

    def _lost(self, name: str, why: str) -> None:
        """Look for a lost segment's rows elsewhere; raise if some are nowhere."""
        path = self.folder / name
        held = [digest for digest, (segment, _) in self._rows.items() if segment == name]
        damage = DamagedSegmentError(path, why, held)
        if path.exists():
            self._refuse(damage)
        self.refresh(anew=True)
        if not self._rows.keys() >= set(held):
            raise damage


def _stat(folder: Path) -> os.stat_result | None:
    try:
        return folder.stat()
    except OSError:
        return None


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
