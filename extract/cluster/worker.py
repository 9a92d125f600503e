"""What a worker process does: the backbone is loaded once, then shard after shard goes through it."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ...cache import FeatureStore, StatIndex, stat_index_path
from ..engine.engine import Engine
from ..images.addresses import Reference
from ..images.in_memory import PixelImage
from ..pipeline import extract
from ..source import FeatureSource, plan_for

LOOKING_SHARE = 0.05  # of a worker's time, at most, goes to looking for others' segments

_loading = threading.Lock()  # a worker process may have several threads


@dataclass(frozen=True, slots=True)
class ShardResult:
    """What became of a shard's images."""

    digests: list[bytes | None]  # SHA-256 of each image, in the order given; None where it failed
    failures: dict[int, str]  # place in the shard to the reason
    # what ran the backbone, and where
    engine: str
    device: str
    notes: list[str]  # what is worth telling


@dataclass
class SeldomLooking(FeatureStore):
    """A store that does not look at the folder for each image once that has become slow.

    A thousand workers change the folder all the time, and list it at every change. What they
    miss of each other is an image that stands in two shards: it is then computed twice.
    """

    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    _next_look: float = field(default=0.0, repr=False)

    def refresh(self, *, anew: bool = False) -> None:
        """Look now if ``anew``, or when enough time has passed since the last look."""
        begin = self.clock()
        if anew or begin >= self._next_look:
            super().refresh(anew=anew)
            now = self.clock()
            self._next_look = now + (now - begin) / LOOKING_SHARE

    def refresh_now(self) -> None:
        """Look whatever it takes."""
        super().refresh()


def start_worker(source: FeatureSource) -> None:
    """Load the backbone, so that the first shard finds it loaded."""
    _tools(source)


def extract_shard(source: FeatureSource, images: Sequence[Reference | PixelImage]) -> ShardResult:
    """Extract a shard's images into segments of its own and say what became of them.

    What an earlier attempt at the shard had committed is found, and not done again.

    Raises
    ------
    HeadstartError
        If the backbone cannot be loaded or the cache cannot be written.
    """
    source, engine, store = _tools(source)
    store.refresh_now()
    with StatIndex(stat_index_path()) as stat_index:
        extraction = extract(
            images,
            store,
            lambda: engine,
            stat_index,
            batch_size=source.plan.batch_size,
            workers=source.plan.workers,
            max_pixels=source.execution.max_pixels,
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


def _tools(source: FeatureSource) -> tuple[FeatureSource, Engine, SeldomLooking]:
    with _loading:
        return _loaded(source)


@functools.lru_cache(maxsize=1)
def _loaded(source: FeatureSource) -> tuple[FeatureSource, Engine, SeldomLooking]:
    """Plan for this machine, which need not be the coordinator's, and load the backbone."""
    source = replace(source, plan=plan_for(source.recipe, source.execution))
    store = SeldomLooking(source.cache, source.spec)
    return source, source.engine(), store
