"""What becomes of the images of a cluster run, block by block, and the shards they are cut into."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ...cache import FeatureStore, StatIndex
from ...errors import CacheError, HeadstartError, first_line
from ...progress import Tell
from ..images.addresses import Reference
from ..images.in_memory import PixelImage
from ..ledger import Extraction, summarise
from ..pipeline import look_up
from .tasks import cut
from .worker import ShardResult

ATTEMPTS = 3  # at each shard

Images = Sequence[Reference | PixelImage]


class Run:
    """How far a run is, over all its blocks."""

    def __init__(self, total: int, tell: Tell) -> None:
        self.begin = self._mark = time.perf_counter()
        self.done = 0
        self._total, self._tell = total, tell

    def add(self, images: int) -> None:
        """Tell that so many more are done."""
        self.done += images
        self._tell(self.done, self._total)

    def seconds(self) -> float:
        """Return the seconds since the last time, or the beginning."""
        now = time.perf_counter()
        passed, self._mark = now - self._mark, now
        return passed


class Block:
    """What the cache holds of a block of images, and what becomes of the others, shard by shard."""

    def __init__(
        self, images: Images, store: FeatureStore, stat_index: StatIndex, run: Run
    ) -> None:
        self.images = images
        self.startup_seconds = 0.0
        self._run = run
        self._store = store
        self._before = store.snapshot()
        self._digests, self.unread = look_up(images, store, stat_index)
        self.unfinished = len(self.unread)
        self._failures: dict[int, str] = {}
        self._notes: dict[str, None] = {}  # in order, each once
        self._ran_on: tuple[str | None, str | None] = (None, None)
        run.add(len(images) - len(self.unread))

    def add(self, positions: list[int], outcome: ShardResult | Exception, name: str) -> None:
        """Take in what became of the images at these positions."""
        self.unfinished -= len(positions)
        self._run.add(len(positions))
        if isinstance(outcome, Exception):
            reason = f"{name} failed {ATTEMPTS} times: {in_one_line(outcome)}"
            self._failures.update(dict.fromkeys(positions, reason))
            self._notes[f"{reason} ({len(positions)} images)"] = None
            return
        for position, digest in zip(positions, outcome.digests, strict=True):
            self._digests[position] = digest
        self._failures.update({positions[index]: why for index, why in outcome.failures.items()})
        self._notes.update(dict.fromkeys(outcome.notes))
        self._ran_on = (outcome.engine, outcome.device)

    def extraction(self) -> Extraction:
        """Return the whole; what the cache did not hold before was extracted, by whomever.

        Raises
        ------
        CacheError
            If the cache does not show here what the workers committed.
        """
        done = [digest for digest in self._digests if digest is not None]
        for anew in (False, True):
            self._store.refresh(anew=anew)
            missing = int((~self._store.holds(done)).sum())
            if not missing:
                break
        else:
            raise CacheError(
                f"the workers committed {missing:,} images that {self._store.folder} does not "
                "show here: --cache must name one folder that all machines share"
            )
        engine, device = self._ran_on
        return summarise(
            self.images,
            self._digests,
            set(itertools.compress(done, self._before.look_up(done)[0] < 0)),
            self._failures,
            seconds=self._run.seconds(),
            startup_seconds=self.startup_seconds,
            engine=engine,
            device=device,
            notes=list(self._notes),
        )


@dataclass(eq=False, slots=True)
class Shard:
    """Images that a worker does at a time; none where a block needs no worker."""

    number: int  # counted from 1
    block: Block
    positions: list[int]  # in the block
    deaths: int = 0  # of workers that were at it


def cut_blocks(blocks: Iterable[Block], size: Callable[[Block], int]) -> Iterator[Shard]:
    """Yield the shards of block after block, each of the ``size`` that its block wants."""
    numbers = itertools.count(1)
    for block in blocks:
        if not block.unread:
            yield Shard(0, block, [])
        else:
            for positions in cut(block.unread, size(block)):
                yield Shard(next(numbers), block, positions)


def in_one_line(error: Exception) -> str:
    """Return an error as one line."""
    line = first_line(error)
    return line if isinstance(error, HeadstartError) else f"{type(error).__name__}: {line}"
