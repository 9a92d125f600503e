"""One extraction under way: claim, read, decode, run the backbone, commit."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..cache import Claims, FeatureStore, Sighting, StatIndex, UnsentError
from ..errors import DecodeError
from ..stopping import Shelter
from .decode.decode import decode_for, resize_views
from .engine.engine import Engine, Images
from .images.addresses import Reference, is_remote
from .images.in_memory import PixelImage
from .images.read import read_image

# A segment is written once so many rows have gathered as the caller says, or …
SEGMENT_BYTES = 128 << 20
SEGMENT_SECONDS = 30.0
STAGES = ("read", "decode", "backbone", "commit")
FETCHERS = 32  # images on their way from the network at once


@dataclass(slots=True)
class Reading:
    """One image on its way: where it stands in the dataset and what was found."""

    position: int
    digest: bytes | None = None
    sighting: Sighting | None = None  # of a file; an image given as pixels has none
    pixels: Images | None = None  # (views, height, width, 3)
    failure: str | None = None
    elsewhere: bool = False  # another process is computing it


class Run:
    """One extraction under way. Workers call ``process``; the caller's thread does the rest.

    Parameters
    ----------
    paths, store, make_engine, stat_index, max_pixels
        See :func:`headstart.extract.pipeline.extract`.
    digests : list of (bytes or None)
        Of the images that need no reading; filled in as the others are read.
    gather : int
        Rows that make a segment.

    Attributes
    ----------
    claims : Claims
        To be entered before the first batch and left after the last.
    done : int
        Images that are settled.
    elsewhere : list of Reading
        Images that are left to other processes.
    extracted, reused : set of bytes
        Digests that went through the backbone here; that the store held.
    failures : dict of int to str
        Position of an image to the reason why it has no features.
    engine : Engine or None
        None until an image needs it.
    startup_seconds : float
        What making it took.
    spent : dict of str to float
        Seconds of all threads together in each stage, see :data:`STAGES`.
    """

    def __init__(
        self,
        paths: Sequence[Reference | PixelImage],
        store: FeatureStore,
        make_engine: Callable[[], Engine],
        stat_index: StatIndex,
        digests: list[bytes | None],
        max_pixels: int,
        gather: int,
    ) -> None:
        self.claims = Claims(stat_index.path.with_name("claims"), store.folder)
        self._max_pixels = max_pixels
        self.elsewhere: list[Reading] = []
        self._paths = paths
        self._map = self._fetching()
        self._store = store
        self._stat_index = stat_index
        self._make_engine = make_engine
        self.engine: Engine | None = None
        self.startup_seconds = 0.0
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._spent_lock = threading.Lock()
        self._engine_lock = threading.Lock()
        self._claim_lock = threading.Lock()
        self._claimed: set[bytes] = set()  # digests that some worker of this run decodes
        self._pending: list[tuple[bytes, Sighting | None, NDArray[np.float32]]] = []
        self._since = time.monotonic()
        self._digests = digests
        self.reused = {digest for digest in digests if digest is not None}
        self.extracted: set[bytes] = set()
        self.failures: dict[int, str] = {}
        self._gather = gather  # rows before a segment is written
        self.done = 0

    def process(self, positions: Sequence[int]) -> tuple[list[Reading], NDArray[np.float32]]:
        """Read, decode and run one batch, in a worker's thread."""
        readings = list(self._map(self._read, positions))
        images = [r.pixels for r in readings if r.pixels is not None]
        if not images:
            return readings, np.empty((0, 0), dtype=np.float32)
        engine = self._get_engine()
        with self._timing("backbone"):
            features = engine(np.concatenate(images))  # (images x views, d)
        return readings, features.reshape(len(images), -1)

    def take(self, readings: list[Reading], features: NDArray[np.float32]) -> None:
        """Take in one finished batch; commit a segment when enough has gathered."""
        rows = iter(features)
        known = []
        for reading in readings:
            if reading.elsewhere:
                self.elsewhere.append(reading)
                continue
            self.done += 1
            if reading.digest is None:
                self.failures[reading.position] = reading.failure or "unknown"
                continue
            self._digests[reading.position] = reading.digest
            if reading.failure is not None:
                self.failures[reading.position] = reading.failure
                self.claims.release([reading.digest])
            elif reading.pixels is not None:
                self._pending.append((reading.digest, reading.sighting, next(rows)))
            else:
                known.append(reading.sighting)
                if reading.digest in self._store:
                    self.reused.add(reading.digest)
        self._stat_index.record(filter(None, known))
        gathered = sum(row.nbytes for *_, row in self._pending[:1]) * len(self._pending)
        if (
            len(self._pending) >= self._gather
            or gathered >= SEGMENT_BYTES
            or time.monotonic() - self._since > SEGMENT_SECONDS
        ):
            self.commit()

    def commit(self) -> None:
        """Write what has gathered as one segment, then remember the files."""
        self._since = time.monotonic()
        if not self._pending:
            return
        digests = [digest for digest, _, _ in self._pending]
        rows = np.stack([row for *_, row in self._pending])
        widths = self._get_engine().widths
        try:
            with self._timing("commit"):
                self._store.append(digests, rows, widths)
        except UnsentError:
            self._pending.clear()  # they are safe, if on this machine alone
            raise
        self.extracted.update(digests)
        self.claims.release(digests)
        self._stat_index.record(sighting for _, sighting, _ in self._pending if sighting)
        self._pending.clear()

    def wait_for_others(self) -> list[int]:
        """Wait until what other processes had claimed is settled; return what is left to do."""
        deferred = [(r.position, r.digest, r.sighting) for r in self.elsewhere if r.digest]
        self.elsewhere.clear()
        for _, digest, _ in deferred:
            self.claims.wait(digest)
        self._store.refresh()
        left = []
        for position, digest, sighting in deferred:
            if digest in self._store:
                self.done += 1
                self._digests[position] = digest
                self.reused.add(digest)
                self._stat_index.record([sighting] if sighting else [])
            else:  # its holder died, or could not use it
                left.append(position)
        return left

    def settle(self) -> list[bytes | None]:
        """Return each image's digest, None where it failed, once all are done."""
        # The copies of an image that failed have its reason.
        reasons = {self._digests[i]: reason for i, reason in self.failures.items()}
        reasons.pop(None, None)
        for i, digest in enumerate(self._digests):
            if digest in reasons and digest not in self._store:
                self.failures[i] = reasons[digest]
        return [None if i in self.failures else digest for i, digest in enumerate(self._digests)]

    def _fetching(self) -> Callable[..., Iterator[Reading]]:
        """Return how a batch is read: in turn, or side by side where each waits for a network."""
        if not any(map(is_remote, self._paths)):
            return map
        return ThreadPoolExecutor(FETCHERS, "fetch").map

    def _read(self, position: int) -> Reading:
        path, spec = self._paths[position], self._store.spec
        reading = Reading(position)
        try:
            if isinstance(path, PixelImage):
                reading.digest = digest = path.digest
                if self._claim(digest, reading):
                    reading.pixels = resize_views(
                        path.pixels, spec.input_size, spec.resize, spec.views, digest
                    )
                return reading
            with self._timing("read"):
                reading.sighting, data = read_image(path, self._max_pixels)
            reading.digest = digest = reading.sighting.digest
            if self._claim(digest, reading):
                with self._timing("decode"):
                    reading.pixels = decode_for(spec, data, digest, self._max_pixels)
        except DecodeError as error:
            reading.failure = str(error)
        return reading

    def _claim(self, digest: bytes, reading: Reading) -> bool:
        """Tell whether this worker is the one to decode this image."""
        with self._claim_lock:
            if digest in self._claimed or digest in self._store:
                return False
            if not self.claims.claim(digest):
                reading.elsewhere = True
                return False
            # Before it was free to claim, another process may have committed it.
            self._store.refresh()
            if digest in self._store:
                self.claims.release([digest])
                return False
            self._claimed.add(digest)
            return True

    @contextlib.contextmanager
    def _timing(self, stage: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        with self._spent_lock:
            self.spent[stage] += time.perf_counter() - begin

    def _get_engine(self) -> Engine:
        with self._engine_lock:
            if self.engine is None:
                begin = time.perf_counter()
                self.engine = self._make_engine()
                self.startup_seconds = time.perf_counter() - begin
            return self.engine


def bounded(
    pool: ThreadPoolExecutor,
    work: Callable[[Sequence[int]], tuple[list[Reading], NDArray[np.float32]]],
    batches: list[list[int]],
    limit: int,
    shelter: Shelter,
) -> Iterator[tuple[list[Reading], NDArray[np.float32]]]:
    """Yield results as they finish, with at most ``limit`` batches in memory.

    Once a stop is wanted, nothing new begins, and what runs is still yielded.
    """
    waiting: set[Future[tuple[list[Reading], NDArray[np.float32]]]] = set()
    ahead = iter(batches)
    try:
        while True:
            if shelter.wanted is not None:
                waiting = {future for future in waiting if not future.cancel()}
            else:
                for batch in itertools.islice(ahead, limit - len(waiting)):
                    waiting.add(pool.submit(work, batch))
            if not waiting:
                return
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
    finally:
        for future in waiting:
            future.cancel()
