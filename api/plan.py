"""``headstart.plan``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Unpack

from ..extract.images.images import Dataset
from ..extract.speed.forecast import WORKERS
from ..extract.speed.plan import ExtractionPlan, PlanDocument, plan_extraction
from ..tables import TextTable
from ..text import size
from .data import open_data
from .options import FeatureOptions, Place, Several, several, source_of
from .result import Block, Result

VERBS = {"read": "read", "decode": "decode", "backbone": "run", "commit": "write"}


@dataclass(frozen=True, repr=False)
class Planned(Result):
    """What is left to extract, what an image costs and what that comes to."""

    plan: ExtractionPlan
    dataset: Dataset
    listing: float  # seconds to list it

    @property
    def warnings(self) -> Sequence[str]:
        """What is worth telling, a line each."""
        return self.dataset.warnings

    def to_dict(self) -> PlanDocument:
        """Return the contract of ``plan --json``."""
        return self.plan.document(self.listing)

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return the numbers of workers that were reckoned with."""
        return [asdict(row) for row in self.plan.forecasts]

    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints."""
        plan, costs, left = self.plan, self.plan.costs, self.plan.left
        yield f"{plan.images:,} images, {plan.cached:,} of them cached: {left:,} to extract"
        if plan.unknown:
            yield (
                f"{plan.unknown:,} were never read on this machine: some may be cached, reading "
                "will tell"
            )
        if not left:
            return
        each = (f"{1000 * costs.seconds[name]:.2f} ms to {verb}" for name, verb in VERBS.items())
        yield f"one worker: {1 / costs.seconds_an_image:,.0f} images/s; an image takes {', '.join(each)}"
        yield (
            f"{size(left * costs.feature_bytes)} of features ({size(costs.feature_bytes)} an "
            f"image), {size(left * costs.file_bytes)} of images to read"
        )
        yield TextTable(
            ["workers", "images/s", "time", "shards", "reads MB/s", "writes MB/s", "limited by"],
            [
                [
                    f"{row.workers:,}",
                    f"{row.images_per_second:,.0f}",
                    _time(row.hours),
                    f"{row.shards:,}",
                    f"{row.read_mb_per_second:,.1f}",
                    f"{row.write_mb_per_second:,.1f}",
                    row.bottleneck,
                ]
                for row in plan.forecasts
            ],
            texts=0,
        )
        for lines in plan.advice.values():
            yield from (f"quicker: {line}" for line in lines)
        yield "the files of the sample may have come from memory: a cold disk reads slower"


def _time(hours: float) -> str:
    if hours < 1 / 60:
        return f"{3600 * hours:.1f} s"
    if hours < 2:
        return f"{60 * hours:.0f} min"
    return f"{hours:,.1f} h" if hours < 48 else f"{hours / 24:,.1f} days"


def plan(
    data: Place | Dataset,
    processes: Several[int] = WORKERS,
    *,
    sample: int = 64,
    bandwidth: float | None = None,
    columns: str | None = None,
    **options: Unpack[FeatureOptions],
) -> Planned:
    """Say what a large extraction will take: hours, storage, the bottleneck.

    Parameters
    ----------
    data, columns, **options
        As those of :func:`headstart.fit_head`; labels may be missing.
    processes : int or sequence of int
        Numbers of worker processes to reckon with.
    sample : int
        Images to time; nothing of them stays in the cache.
    bandwidth : float, optional
        MB/s that all workers together can read and write; no limit when None.

    Returns
    -------
    Planned
        Prints what an image costs; ``to_frame()`` has a row for each number of workers.

    Raises
    ------
    DataError
        If the dataset cannot be used.

    Examples
    --------
    >>> import headstart
    >>> headstart.plan("photographs", [1, 10], sample=4).to_frame()["workers"].to_list()
    [1, 10]
    """
    begin = time.perf_counter()
    dataset = open_data(data, columns, needs_labels=False)
    listing = time.perf_counter() - begin
    reckoned = plan_extraction(
        [image.path for image in dataset.images],
        source_of(options, dataset),
        sample=sample,
        workers=several(processes),
        bandwidth=bandwidth,
    )
    return Planned(reckoned, dataset, listing)
