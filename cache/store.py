"""The features of one spec: append, look up, read.

Nothing here locks: any number of processes may append at once, since a
segment is never changed after its rename.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import CacheError
from .compact import merge_alike
from .index.index import Index, Table, grow, remove_damaged
from .index.run import DamagedRunError, to_digests
from .mirror import remote_of
from .remote import RemoteCache
from .segment import (
    DamagedSegmentError,
    as_stored,
    open_segment,
    read_blocks,
    read_digests,
    read_widths,
    write_segment,
)
from .spec import FeatureSpec
from .spec_folder import remove_stale_temporaries, run_paths, segment_paths, set_aside
from .statindex import at_rest

FETCH_SECONDS = 10.0  # between two looks at a cache behind a URL
LISTINGS = 3  # of a folder that seems to have lost rows, before that is believed

Features = NDArray[np.float32]  # (n, d)
Answer = TypeVar("Answer")


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
    _own: dict[str, int] = field(default_factory=dict, repr=False)  # written here: name to rows
    _refused: set[str] = field(default_factory=set, repr=False)  # damaged, told already
    _index: Index = field(default_factory=Index, repr=False)
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
        """Leave behind what cannot travel to another process, which looks for itself."""
        return {name: value for name, value in self.__dict__.items() if name not in self._fresh()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, **self._fresh())
        self._look(anew=True)

    @staticmethod
    def _fresh() -> dict[str, Any]:
        return {"_lock": threading.RLock(), "_index": Index(), "_own": {}}

    @property
    def dimension(self) -> int | None:
        """Number of columns of a row; None while the store is empty."""
        return sum(self._widths) * len(self.spec.views) or None

    @property
    def widths(self) -> tuple[int, ...]:
        """Columns of each layer within one view; empty while the store is."""
        return self._widths

    def __contains__(self, digest: object) -> bool:
        return isinstance(digest, bytes) and bool(self.holds([digest])[0])

    def __len__(self) -> int:
        return self._asked(lambda index: index.count()[1])

    def digests(self) -> set[bytes]:
        """Return the images that are held: of a large cache more than the memory has room for."""
        return set(self._asked(Index.digests))

    def holds(self, digests: Sequence[bytes]) -> NDArray[np.bool_]:
        """Tell which of these images (n) are held."""
        return self._asked(lambda index: index.look_up(digests)[0] >= 0)

    def snapshot(self) -> Index:
        """Return the index of what is held now, whatever comes later."""
        return self._index

    def _asked(self, question: Callable[[Index], Answer]) -> Answer:
        """Ask the index; where it turns out to be damaged, it is made again."""
        while True:
            try:
                return question(self._index)
            except DamagedRunError as error:
                self._drop(error)

    def _drop(self, error: DamagedRunError) -> None:
        with self._lock:
            remove_damaged(error)
            self._refused.add(error.path.name)  # it may stay, in a read-only cache
            self._index = Index((), (), self._index.tables)
            self._look(anew=True)

    def refresh(self, *, anew: bool = False) -> None:
        """Take in what other processes added, merged or removed since the last look.

        Parameters
        ----------
        anew : bool
            Look even if the folder seems to be as it was.
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
            now, stat = time.time_ns(), None
            with contextlib.suppress(OSError):
                stat = self.folder.stat()
            if not anew and stat is not None and stat.st_mtime_ns == self._listed_ns:
                return
            # A segment that was merged between listing and opening, or behind the listing's back:
            # the folder is listed again. Rows that stay away after that were removed by someone.
            listings = 0
            while not self._take_in(rows_may_go=listings >= LISTINGS):
                listings += 1
            # A folder that may change within its clock's tick is listed again next time.
            settled = stat is not None and at_rest(stat, now)
            self._listed_ns = stat.st_mtime_ns if stat is not None and settled else None

    def _fetch(self, *, anew: bool) -> None:
        """Take in what lies behind the cache's URL, if it has one, every now and then."""
        now = time.monotonic()
        if self._remote is not None and (anew or now - self._fetched >= FETCH_SECONDS):
            self._fetched = now
            self.damaged += self._remote.fetch(self.folder)

    def _take_in(self, *, rows_may_go: bool) -> bool:
        """Bring the index up to date; tell whether the listing can be believed.

        A listing is not atomic: it may have passed the place where a merged segment then
        appears, and come too late for those that it replaced. Such a listing lacks rows.
        """
        before = self._index
        try:
            # In this order: what a run covers is then listed, too, unless it was merged.
            runs = [path for path in run_paths(self.folder) if path.name not in self._refused]
            names = {path.name for path in segment_paths(self.folder)} - self._refused
            index = grow(before, self.folder, names, runs, self._read_table)
            gone = before.covered.keys() - names
            if gone and not rows_may_go:
                for keys in before.only(gone).all_keys():
                    if (index.look_up(to_digests(keys))[0] < 0).any():
                        return False
        except FileNotFoundError:
            return False
        except DamagedRunError as error:
            self._drop(error)
        else:
            self._index = index
            self._find_widths()
        return True

    def _find_widths(self) -> None:
        """Read them from any segment: what the index covers was not opened."""
        for name in () if self._widths else self._index.covered:
            with contextlib.suppress(DamagedSegmentError, FileNotFoundError):
                with open_segment(self.folder / name) as segment:
                    self._widths = read_widths(segment, self.spec)
                return

    def _read_table(self, name: str) -> Table | None:
        path = self.folder / name
        try:
            with open_segment(path) as segment:
                table = read_digests(segment, self.spec)
                self._widths = read_widths(segment, self.spec)
        except DamagedSegmentError as error:
            if not path.exists():  # merged while it was read: its rows lie elsewhere
                raise FileNotFoundError(path) from error
            self._refuse(error)
            return None
        return table

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

        Of the segments that this process wrote, those of a size are then merged where there are
        many: in the end each row has been written twice or three times.

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
        features = as_stored(features, self.spec.storage)
        path = write_segment(self.folder, self.spec, digests, features, widths)
        if self._remote is None:
            own = self._own | {path.name: len(digests)}
            self._own = merge_alike(self.folder, self.spec, own, features[0].nbytes, self.damaged)
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
        index, segments, rows = self._asked(lambda index: (index, *index.look_up(digests)))
        if (segments < 0).any():
            raise KeyError(digests[int(np.argmin(segments))])
        out: Features = np.empty((len(digests), self.dimension or 0), dtype=np.float32)
        order = np.lexsort((rows, segments))
        starts = np.unique(segments[order], return_index=True)[1]
        for positions in np.split(order, starts)[1:]:
            name = index.segments[segments[positions[0]]]
            try:
                with open_segment(self.folder / name) as segment:
                    if name not in index.tables:  # what was read from the segment is right
                        table = read_digests(segment, self.spec)
                        there = [bytes(table[row]) for row in rows[positions] if row < len(table)]
                        if there != [digests[position] for position in positions]:
                            raise self._lie(index, name)
                    for low, high, block in read_blocks(segment, rows[positions]):
                        out[positions[low:high]] = block
            except FileNotFoundError:
                self._lost(name, "no such file")
                return self.read(digests)  # compacted by another process: the rows lie elsewhere
            except DamagedSegmentError as error:
                self._lost(name, error.reason)
                return self.read(digests)  # other segments hold the same rows
            except DamagedRunError as error:
                self._drop(error)
                return self.read(digests)
        return out

    def _lie(self, index: Index, name: str) -> DamagedRunError:
        """Return the error for a run that tells of other rows than its segment has."""
        path = next((run.path for run in index.runs if name in run.segments), None)
        return DamagedRunError(path or self.folder, f"{name} holds other rows")

    def _lost(self, name: str, why: str) -> None:
        """Look for a lost segment's rows elsewhere; raise if some are nowhere."""
        path = self.folder / name
        held = self._asked(lambda index: index.only({name}).digests())
        damage = DamagedSegmentError(path, why, held)
        if path.exists():
            self._refuse(damage)
        self.refresh(anew=True)
        if not self.holds(held).all():
            raise damage
