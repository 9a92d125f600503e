"""What is missing → read, decode, run the backbone → segments."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..cache import (
    Claims,
    DamagedSegmentError,
    FeatureStore,
    Sighting,
    StatIndex,
    StoredRows,
)
from ..errors import DataError, DecodeError, OptionError
from ..stopping import Shelter, Stopped, sheltered
from .dataset import shown
from .decode import MAX_PIXELS, decode_views, resize_views
from .digests import known_digest
from .engines import Engine, Images
from .pixels import PixelImage
from .read import read_image

SEGMENT_ROWS = 512  # a kill loses at most this many images' work, in flight or not yet written …
SEGMENT_BYTES = 128 << 20  # … or this much of it …
SEGMENT_SECONDS = 30.0  # … or what this long took

Progress = Callable[[int, int], None]  # images done, images to do


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that has no features, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image: a line of the ledger.

    Parameters
    ----------
    path : Path
        The image, as given.
    outcome : str
        ``"extracted"``, ``"reused"``, ``"duplicate"`` or ``"failed"``.
    reason : str or None
        Why it failed, or which image it repeats.
    """

    path: Path
    outcome: str
    reason: str | None = None


@dataclass
class Extraction:
    """What became of each image; the counts and failures add up to all images.

    Parameters
    ----------
    digests : list of (bytes or None)
        SHA-256 of each image, in the order given; None where it failed.
    extracted, reused, duplicates : int
        Ran through the backbone now; were in the cache; equal an earlier image.
    failures : list of Failure
        Images that could not be read or decoded.
    seconds : float
        Wall time of the whole call.
    engine : str or None
        What ran the backbone; None when nothing had to run.
    device : str or None
        Where it ran: ``"cpu"`` or ``"gpu"``.
    notes : list of str
        What is worth telling about the engine.
    ledger : list of Outcome
        One for each image, in the order given.
    """

    digests: list[bytes | None]
    extracted: int = 0
    reused: int = 0
    duplicates: int = 0
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0
    engine: str | None = None
    device: str | None = None
    notes: list[str] = field(default_factory=list)
    ledger: list[Outcome] = field(default_factory=list)


@dataclass(slots=True)
class _Reading:
    """One image on its way: where it stands in the dataset and what was found."""

    position: int
    digest: bytes | None = None
    sighting: Sighting | None = None  # of a file; an image given as pixels has none
    pixels: Images | None = None  # (views, height, width, 3)
    failure: str | None = None
    elsewhere: bool = False  # another process is computing it


def extract(
    paths: Sequence[Path | PixelImage],
    store: FeatureStore,
    make_engine: Callable[[], Engine],
    stat_index: StatIndex,
    *,
    batch_size: int,
    workers: int,
    max_pixels: int = MAX_PIXELS,
    progress: Progress = lambda done, total: None,
    announce: Callable[[str], None] = lambda line: None,
) -> Extraction:
    """Make sure that the store holds the features of all these images.

    Each file is read at most once, and not at all when the stat index knows it
    and the store has its features. The engine is made only when it is needed.
    What another process of this machine is computing is left to it.

    Parameters
    ----------
    paths : sequence of Path or PixelImage
        Image files, or images in memory.
    store : FeatureStore
        Where features are looked up and appended, in segments.
    make_engine : callable
        Returns the engine for the store's spec; called at most once.
    stat_index : StatIndex
        Remembers digests of unchanged files.
    batch_size : int
        Images a call of the engine.
    workers : int
        Threads that read, decode and call the engine.
    max_pixels : int
        Larger images fail.
    progress : callable
        Told ``(done, total)`` images after each batch.
    announce : callable
        Told, in a line, when other processes are waited for.

    Returns
    -------
    Extraction

    Raises
    ------
    CacheError
        If the cache cannot be written. Whatever stops the run, finished rows
        are committed first.
    Stopped
        If a signal asked to stop: after the batches in flight, committed.
    """
    begin = time.perf_counter()
    digests, unread = _look_up(paths, store, stat_index)
    in_flight = 2 * workers  # batches
    run = _Run(paths, store, make_engine, stat_index, digests, max_pixels)
    run.gather = max(batch_size, SEGMENT_ROWS - in_flight * batch_size)
    settled = len(paths) - len(unread)
    progress(settled, len(paths))
    with run.claims:
        while unread:
            batches = [unread[i : i + batch_size] for i in range(0, len(unread), batch_size)]
            with sheltered() as shelter:
                try:
                    with ThreadPoolExecutor(workers) as pool:
                        finished = _bounded(pool, run.process, batches, in_flight, shelter)
                        for readings, features in finished:
                            run.take(readings, features)
                            progress(settled + run.done, len(paths))
                finally:
                    run.commit()
            if shelter.wanted is not None:
                raise Stopped(
                    shelter.wanted,
                    f"stopped: {settled + run.done:,} of {len(paths):,} images are done and "
                    "safe; the same command goes on from there",
                )
            if run.elsewhere:
                announce(f"waiting for {run.elsewhere:,} images that other processes are computing")
            unread = run.wait_for_others()
            progress(settled + run.done, len(paths))
    return run.summary(time.perf_counter() - begin)


def read_features(
    store: FeatureStore, extract_again: Callable[[], Extraction], in_memory: int | None = None
) -> tuple[Extraction, NDArray[np.float32] | StoredRows, list[int]]:
    """Extract what is missing, then read all features; mend damage on the way.

    Parameters
    ----------
    store : FeatureStore
        Where the features lie.
    extract_again : callable
        Runs :func:`extract` on the images wanted.
    in_memory : int, optional
        Features of more bytes are left on the disk.

    Returns
    -------
    extraction : Extraction
    features : ndarray or StoredRows, shape (n, d), float32
        One row for each image that has features.
    positions : list of int, length n
        Which of the images each row belongs to.
    """
    while True:
        extraction = extract_again()
        positions = [i for i, digest in enumerate(extraction.digests) if digest is not None]
        digests = [digest for digest in extraction.digests if digest is not None]
        if in_memory is not None and len(digests) * (store.dimension or 0) * 4 > in_memory:
            return extraction, StoredRows(store, digests), positions
        try:
            rows = store.read(digests)
        except DamagedSegmentError:
            continue  # the segment is set aside: its rows are missing now, and extracted anew
        return extraction, rows, positions


def check_failures(extraction: Extraction, limit: str | None) -> None:
    """Judge the failures against ``--max-failures``.

    Parameters
    ----------
    extraction : Extraction
        What happened.
    limit : str or None
        A count such as ``"0"`` or a share such as ``"5%"``; None means that
        only a run in which everything failed is an error.

    Raises
    ------
    DataError
        If more failed than allowed. What did not fail is in the cache.
    OptionError
        If the limit is neither a count nor a share.

    Examples
    --------
    >>> check_failures(Extraction([b"", None], failures=[Failure(Path("x"), "empty")]), "50%")
    """
    failed, total = len(extraction.failures), len(extraction.digests)
    if not failed:
        return
    first = extraction.failures[0]
    example = f"first: {shown(first.path)}: {first.reason}"
    if failed == total:
        raise DataError(f"none of the {total} images can be used; {example}")
    if limit is not None and failed > parse_limit(limit, total):
        raise DataError(
            f"{failed} of {total} images failed, --max-failures allows {limit}; the others are "
            f"cached; {example}"
        )


def parse_limit(limit: str, total: int) -> float:
    """Return how many failures a limit such as ``"3"`` or ``"5%"`` allows.

    Raises
    ------
    OptionError
        If it is neither.
    """
    try:
        share = limit.endswith("%")
        value = float(limit.removesuffix("%")) / 100 * total if share else int(limit)
    except ValueError:
        value = -1
    if value < 0:
        raise OptionError(f"--max-failures takes a count (3) or a share (5%), got {limit!r}")
    return value


def _look_up(
    paths: Sequence[Path | PixelImage], store: FeatureStore, stat_index: StatIndex
) -> tuple[list[bytes | None], list[int]]:
    """Find what needs no reading: (digest or None for each path, positions to read)."""
    digests: list[bytes | None] = []
    unread = []
    for position, path in enumerate(paths):
        digest = _known_digest(path, stat_index)
        known = digest if digest in store else None
        digests.append(known)
        if known is None:
            unread.append(position)
    return digests, unread


def _known_digest(path: Path | PixelImage, stat_index: StatIndex) -> bytes | None:
    return path.digest if isinstance(path, PixelImage) else known_digest(path, stat_index)


class _Run:
    """One extraction under way. Workers call ``process``; the caller's thread does the rest."""

    def __init__(
        self,
        paths: Sequence[Path | PixelImage],
        store: FeatureStore,
        make_engine: Callable[[], Engine],
        stat_index: StatIndex,
        digests: list[bytes | None],
        max_pixels: int,
    ) -> None:
        self.claims = Claims(stat_index.path.with_name("claims"), store.folder)
        self._max_pixels = max_pixels
        self._elsewhere: list[_Reading] = []  # left to other processes
        self._paths = paths
        self._store = store
        self._stat_index = stat_index
        self._make_engine = make_engine
        self._engine: Engine | None = None
        self._engine_lock = threading.Lock()
        self._claim_lock = threading.Lock()
        self._claimed: set[bytes] = set()  # digests that some worker of this run decodes
        self._pending: list[tuple[bytes, Sighting | None, NDArray[np.float32]]] = []
        self._since = time.monotonic()
        self._digests = digests
        self._reused = {digest for digest in digests if digest is not None}
        self._extracted: set[bytes] = set()
        self._failures: dict[int, str] = {}
        self.gather = SEGMENT_ROWS  # rows before a segment is written
        self.done = 0

    def process(self, positions: Sequence[int]) -> tuple[list[_Reading], NDArray[np.float32]]:
        """Read, decode and run one batch, in a worker's thread."""
        readings = [self._read(position) for position in positions]
        images = [r.pixels for r in readings if r.pixels is not None]
        if not images:
            return readings, np.empty((0, 0), dtype=np.float32)
        engine = self._get_engine()
        features = engine(np.concatenate(images))  # (images x views, d)
        return readings, features.reshape(len(images), -1)

    def take(self, readings: list[_Reading], features: NDArray[np.float32]) -> None:
        """Take in one finished batch; commit a segment when enough has gathered."""
        rows = iter(features)
        known = []
        for reading in readings:
            if reading.elsewhere:
                self._elsewhere.append(reading)
                continue
            self.done += 1
            if reading.digest is None:
                self._failures[reading.position] = reading.failure or "unknown"
                continue
            self._digests[reading.position] = reading.digest
            if reading.failure is not None:
                self._failures[reading.position] = reading.failure
                self.claims.release([reading.digest])
            elif reading.pixels is not None:
                self._pending.append((reading.digest, reading.sighting, next(rows)))
            else:
                known.append(reading.sighting)
                if reading.digest in self._store:
                    self._reused.add(reading.digest)
        self._stat_index.record(filter(None, known))
        gathered = sum(row.nbytes for *_, row in self._pending[:1]) * len(self._pending)
        if (
            len(self._pending) >= self.gather
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
        self._store.append(digests, rows, widths)
        self._extracted.update(digests)
        self.claims.release(digests)
        self._stat_index.record(sighting for _, sighting, _ in self._pending if sighting)
        self._pending.clear()

    @property
    def elsewhere(self) -> int:
        """Images that were left to other processes."""
        return len(self._elsewhere)

    def wait_for_others(self) -> list[int]:
        """Wait until what other processes had claimed is settled; return what is left to do."""
        deferred = [(r.position, r.digest, r.sighting) for r in self._elsewhere if r.digest]
        self._elsewhere.clear()
        for _, digest, _ in deferred:
            self.claims.wait(digest)
        self._store.refresh()
        left = []
        for position, digest, sighting in deferred:
            if digest in self._store:
                self.done += 1
                self._digests[position] = digest
                self._reused.add(digest)
                self._stat_index.record([sighting] if sighting else [])
            else:  # its holder died, or could not use it
                left.append(position)
        return left

    def summary(self, seconds: float) -> Extraction:
        """Count what happened to each image."""
        self._fail_copies()
        digests = [
            None if i in self._failures else digest for i, digest in enumerate(self._digests)
        ]
        held = [digest for digest in digests if digest is not None]
        reused = self._reused - self._extracted
        names = [Path(str(path)) for path in self._paths]  # images in memory have a name, too
        return Extraction(
            digests=digests,
            extracted=len(self._extracted),
            reused=len(reused),
            duplicates=len(held) - len(set(held)),
            failures=[Failure(names[i], self._failures[i]) for i in sorted(self._failures)],
            seconds=seconds,
            engine=self._engine.name if self._engine else None,
            device=self._engine.device if self._engine else None,
            notes=list(self._engine.notes) if self._engine else [],
            ledger=self._ledger(names, digests),
        )

    def _ledger(self, names: list[Path], digests: list[bytes | None]) -> list[Outcome]:
        first: dict[bytes, Path] = {}
        ledger = []
        for i, (path, digest) in enumerate(zip(names, digests, strict=True)):
            if digest is None:
                ledger.append(Outcome(path, "failed", self._failures[i]))
            elif digest in first:
                ledger.append(Outcome(path, "duplicate", f"same bytes as {shown(first[digest])}"))
            else:
                first[digest] = path
                new = digest in self._extracted
                ledger.append(Outcome(path, "extracted" if new else "reused"))
        return ledger

    def _fail_copies(self) -> None:
        """Give the copies of an image that failed its reason."""
        reasons = {self._digests[i]: reason for i, reason in self._failures.items()}
        reasons.pop(None, None)
        for i, digest in enumerate(self._digests):
            if digest in reasons and digest not in self._store:
                self._failures[i] = reasons[digest]

    def _read(self, position: int) -> _Reading:
        path = self._paths[position]
        if isinstance(path, PixelImage):
            return self._view(position, path)
        reading = _Reading(position)
        spec = self._store.spec
        try:
            reading.sighting, data = read_image(path, self._max_pixels)
            digest = reading.digest = reading.sighting.digest
            if self._claim(digest, reading):
                reading.pixels = decode_views(
                    data, spec.input_size, spec.resize, spec.views, digest, self._max_pixels
                )
        except DecodeError as error:
            reading.failure = str(error)
        return reading

    def _view(self, position: int, image: PixelImage) -> _Reading:
        reading = _Reading(position, image.digest)
        if self._claim(image.digest, reading):
            spec = self._store.spec
            reading.pixels = resize_views(
                image.pixels, spec.input_size, spec.resize, spec.views, image.digest
            )
        return reading

    def _claim(self, digest: bytes, reading: _Reading) -> bool:
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

    def _get_engine(self) -> Engine:
        with self._engine_lock:
            if self._engine is None:
                self._engine = self._make_engine()
            return self._engine


def _bounded(
    pool: ThreadPoolExecutor,
    work: Callable[[Sequence[int]], tuple[list[_Reading], NDArray[np.float32]]],
    batches: list[list[int]],
    limit: int,
    shelter: Shelter,
) -> Iterator[tuple[list[_Reading], NDArray[np.float32]]]:
    """Yield results as they finish, with at most ``limit`` batches in memory.

    Once a stop is wanted, nothing new begins, and what runs is still yielded.
    """
    waiting: set[Future[tuple[list[_Reading], NDArray[np.float32]]]] = set()
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
