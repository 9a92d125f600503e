"""What is missing → read, decode, run the backbone → segments."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cache import DamagedSegmentError, FeatureStore, StatIndex, StoredRows
from ..errors import DataError, OptionError
from ..progress import Tell, note, silent
from ..stopping import Stopped, sheltered
from ..text import shown
from .decode.decode import MAX_PIXELS
from .decode.proof import prove_decoder
from .engine.engine import Engine
from .images.addresses import Reference, signed
from .images.in_memory import PixelImage
from .images.read import known_digest
from .one_run import Run, bounded

SEGMENT_ROWS = 512  # a kill loses at most this many images' work, in flight or not yet written


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that has no features, and why."""

    path: Reference
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image: a line of the ledger.

    Parameters
    ----------
    path : Reference
        The image, as given.
    outcome : str
        ``"extracted"``, ``"reused"``, ``"duplicate"`` or ``"failed"``.
    reason : str or None
        Why it failed, or which image it repeats.
    """

    path: Reference
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
        Wall time from the call to the last commit.
    startup_seconds : float
        Those that passed before the backbone was ready, on a cluster on all workers.
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
    startup_seconds: float = 0.0
    engine: str | None = None
    device: str | None = None
    notes: list[str] = field(default_factory=list)
    ledger: list[Outcome] = field(default_factory=list)


def extract(
    paths: Sequence[Reference | PixelImage],
    store: FeatureStore,
    make_engine: Callable[[], Engine],
    stat_index: StatIndex,
    *,
    batch_size: int,
    workers: int,
    max_pixels: int = MAX_PIXELS,
    progress: Tell = silent,
) -> Extraction:
    """Make sure that the store holds the features of all these images.

    Each file is read at most once, and not at all when the stat index knows it
    and the store has its features. The engine is made only when it is needed.
    What another process of this machine is computing is left to it.

    Parameters
    ----------
    paths : sequence of Reference or PixelImage
        Images in files, behind URLs, in shards or in memory.
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
    prove_decoder()
    begin = time.perf_counter()
    paths = signed(paths)
    digests, unread = look_up(paths, store, stat_index)
    in_flight = 2 * workers  # batches
    gather = max(batch_size, SEGMENT_ROWS - in_flight * batch_size)
    run = Run(paths, store, make_engine, stat_index, digests, max_pixels, gather)
    settled = len(paths) - len(unread)
    progress(settled, len(paths))
    with run.claims:
        while unread:
            batches = [unread[i : i + batch_size] for i in range(0, len(unread), batch_size)]
            with sheltered() as shelter:
                try:
                    with ThreadPoolExecutor(workers) as pool:
                        finished = bounded(pool, run.process, batches, in_flight, shelter)
                        for readings, features in finished:
                            run.take(readings, features)
                            progress(settled + run.done, len(paths))
                finally:
                    run.commit()
            if shelter.wanted is not None:
                raise Stopped(shelter.wanted, going_on(settled + run.done, len(paths)))
            if run.elsewhere:
                note(f"waiting for {run.elsewhere:,} images that other processes are computing")
            unread = run.wait_for_others()
            progress(settled + run.done, len(paths))
    engine = run.engine
    return summarise(
        paths,
        run.settle(),
        run.extracted,
        run.failures,
        seconds=time.perf_counter() - begin,
        startup_seconds=run.startup_seconds,
        engine=engine.name if engine else None,
        device=engine.device if engine else None,
        notes=list(engine.notes) if engine else [],
    )


def going_on(done: int, total: int) -> str:
    """Say where a stopped run goes on."""
    return (
        f"stopped: {done:,} of {total:,} images are done and safe; the same command goes on from "
        "there"
    )


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


def look_up(
    paths: Sequence[Reference | PixelImage], store: FeatureStore, stat_index: StatIndex
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


def _known_digest(path: Reference | PixelImage, stat_index: StatIndex) -> bytes | None:
    return path.digest if isinstance(path, PixelImage) else known_digest(path, stat_index)


def summarise(
    paths: Sequence[Reference | PixelImage],
    digests: list[bytes | None],
    extracted: set[bytes],
    failures: dict[int, str],
    **circumstances: Any,
) -> Extraction:
    """Count what happened to each image.

    Parameters
    ----------
    paths : sequence of Reference or PixelImage, length n
        The images.
    digests : list of (bytes or None), length n
        None where one failed.
    extracted : set of bytes
        Those that ran through the backbone now.
    failures : dict of int to str
        Position to reason.
    **circumstances
        Fields of :class:`Extraction` that are no counts.
    """
    # Images in memory have a name, too.
    names = [Path(str(path)) if isinstance(path, PixelImage) else path for path in paths]
    held = [digest for digest in digests if digest is not None]
    return Extraction(
        digests=digests,
        extracted=len(extracted),
        reused=len(set(held) - extracted),
        duplicates=len(held) - len(set(held)),
        failures=[Failure(names[i], failures[i]) for i in sorted(failures)],
        ledger=_ledger(names, digests, extracted, failures),
        **circumstances,
    )


def _ledger(
    names: Sequence[Reference],
    digests: list[bytes | None],
    extracted: set[bytes],
    failures: dict[int, str],
) -> list[Outcome]:
    first: dict[bytes, Reference] = {}
    ledger = []
    for i, (path, digest) in enumerate(zip(names, digests, strict=True)):
        if digest is None:
            ledger.append(Outcome(path, "failed", failures[i]))
        elif digest in first:
            ledger.append(Outcome(path, "duplicate", f"same bytes as {shown(first[digest])}"))
        else:
            first[digest] = path
            ledger.append(Outcome(path, "extracted" if digest in extracted else "reused"))
    return ledger
