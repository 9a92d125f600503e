"""A backbone's features and what is to run on them; the splits to run on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...extract.images.images import Dataset, Image
from ...extract.source import FeatureSource
from ...extract.speed.stage_timer import measure_rate
from ...progress import stage
from ..data.split import resplit
from ..data.table import Table, load_table
from .approaches import Approach
from .kept_outcomes import FOLDER, ResultsCache


@dataclass(frozen=True)
class Bench:
    """One backbone: its features, and what is to run on them."""

    source: FeatureSource
    table: Table
    images: list[Image]
    approaches: list[Approach]

    @property
    def kept(self) -> ResultsCache:
        """Where its results are kept."""
        return ResultsCache(self.source.cache / FOLDER)

    def on_split(self, number: int, seed: int) -> Table:
        """Return the table on the dataset's own split (0) or on a resplit."""
        if number == 0:
            return self.table
        digests, groups = self.table.features.digests, self.table.groups.tolist()
        # What the table keeps together stays together: a group goes by its first digest.
        first: dict[int, bytes] = {}
        for group, digest in zip(groups, digests, strict=True):
            first[group] = min(first.get(group, digest), digest)
        images = [
            replace(image, group=first[group].hex())
            for image, group in zip(self.images, groups, strict=True)
        ]
        return replace(self.table, split=resplit(images, digests, seed + number))


def prepare(
    dataset: Dataset,
    source: FeatureSource,
    approaches: list[Approach],
    max_failures: str | None,
) -> Bench:
    """Load a backbone's features."""
    table = load_table(dataset, source, max_failures, f"features of {source.label}")
    images = [dataset.images[i] for i in table.features.positions]
    return Bench(source, table, images, approaches)


def find_rate(bench: Bench) -> float | None:
    """Return images/s from file to features: as measured now, or by an earlier run.

    To be called when everything has run: the engine's memory is no head's.
    """
    source = bench.source
    rates = bench.kept.note("rates")
    key = f"{source.spec.id} {source.plan.engine} x{source.plan.workers}"
    if key not in rates:
        stage(f"speed of {source.label}")
        rate = measure_rate(bench.table.paths, source)
        if rate is None:
            return None
        rates[key] = rate
        bench.kept.write_note("rates", rates)
    return float(rates[key])


def check_same_images(benches: list[Bench]) -> None:
    """Make sure that all backbones see the same images.

    Raises
    ------
    DataError
        If one could not read an image that another could.
    """
    first = benches[0]
    for bench in benches[1:]:
        if bench.table.features.digests != first.table.features.digests:
            raise DataError(
                f"{bench.source.label} and {first.source.label} could not read "
                "the same images, so they cannot be compared: see 'extract features' for each"
            )


def without_near_copies(benches: list[Bench]) -> NDArray[np.bool_]:
    """Return which evaluation images look like no training image, by any backbone: (n,) bool."""
    evaluation = benches[0].table.split.evaluation
    leaked = [bench.table.near_leaks().evaluation for bench in benches]
    return ~np.isin(evaluation, np.concatenate(leaked))
