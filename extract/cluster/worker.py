"""What a worker process does: the backbone is loaded once, then shard after shard goes through it."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...cache import FeatureStore, StatIndex, stat_index_path
from ..engines import Engine
from ..features import FeatureSource, plan_for
from ..pipeline import extract
from ..pixels import PixelImage

_loading = threading.Lock()  # a worker process may have several threads


@dataclass(frozen=True, slots=True)
class ShardResult:
    """What became of a shard's images.

    Parameters
    ----------
    digests : list of (bytes or None)
        SHA-256 of each image, in the order given; None where it failed.
    failures : dict of int to str
        Place in the shard to the reason.
    engine, device : str
        What ran the backbone, and where.
    notes : list of str
        What is worth telling.
    """

    digests: list[bytes | None]
    failures: dict[int, str]
    engine: str
    device: str
    notes: list[str]


def start_worker(source: FeatureSource) -> None:
    """Load the backbone, so that the first shard finds it loaded."""
    _tools(source)


def extract_shard(source: FeatureSource, images: Sequence[Path | PixelImage]) -> ShardResult:
    """Extract a shard's images into segments of its own and say what became of them.

    What an earlier attempt at the shard had committed is found, and not done again.

    Raises
    ------
    HeadstartError
        If the backbone cannot be loaded or the cache cannot be written.
    """
    source, engine, store = _tools(source)
    store.refresh()
    with StatIndex(stat_index_path()) as stat_index:
        extraction = extract(
            images,
            store,
            lambda: engine,
            stat_index,
            batch_size=source.plan.batch_size,
            workers=source.plan.workers,
            max_pixels=source.options.max_pixels,
        )
    reasons = [line.reason for line in extraction.ledger]
    return ShardResult(
        digests=extraction.digests,
        failures={
            place: reasons[place] or ""
            for place, digest in enumerate(extraction.digests)
            if digest is None
        },
        engine=engine.name,
        device=engine.device,
        notes=[*engine.notes, *map(str, store.damaged)],
    )


def _tools(source: FeatureSource) -> tuple[FeatureSource, Engine, FeatureStore]:
    with _loading:
        return _loaded(source)


@functools.lru_cache(maxsize=1)
def _loaded(source: FeatureSource) -> tuple[FeatureSource, Engine, FeatureStore]:
    """Plan for this machine, which need not be the coordinator's, and load the backbone."""
    source = replace(source, plan=plan_for(source.options))
    return source, source.options.make_engine(source), source.store()
