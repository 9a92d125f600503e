"""What is missing → read, decode, run the backbone → segments."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ..cache import DamagedSegmentError, FeatureStore, StatIndex, StoredRows
from ..progress import Tell, note, silent
from ..stopping import Stopped, sheltered
from .decode.decode import MAX_PIXELS
from .decode.proof import prove_decoder
from .engine.engine import Engine
from .images.addresses import Reference, signed
from .images.in_memory import PixelImage
from .images.read import known_digests
from .ledger import Extraction, summarise
from .one_run import Run, bounded

SEGMENT_ROWS = 512  # a kill loses at most this many images' work, in flight or not yet written


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
                note(
                    f"waiting for {len(run.elsewhere):,} images that other processes are computing"
                )
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
        spent=dict(run.spent),
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


def look_up(
    paths: Sequence[Reference | PixelImage], store: FeatureStore, stat_index: StatIndex
) -> tuple[list[bytes | None], list[int]]:
    """Find what needs no reading: (digest or None for each path, positions to read)."""
    digests = known_digests(paths, stat_index)
    known = [position for position, digest in enumerate(digests) if digest is not None]
    held = store.holds([digest for digest in digests if digest is not None])
    for position, there in zip(known, held.tolist(), strict=True):
        if not there:
            digests[position] = None
    return digests, [position for position, digest in enumerate(digests) if digest is None]
