"""Approaches run on the same splits, reusing what was computed before."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...extract.images.images import Dataset, Image
from ...extract.source import FeatureSource
from ...extract.speed.stage_timer import measure_rate
from ...progress import counted, stage
from ..data.split import resplit
from ..data.table import Table, load_table
from .approaches import Approach
from .kept_outcomes import FOLDER, Outcome, ResultsCache, fingerprint, result_key
from .time_left import TimeLeft


@dataclass(frozen=True)
class Bench:
    """One backbone: its features, and what is to run on them."""

    source: FeatureSource
    table: Table
    images: list[Image]
    approaches: list[Approach]


@dataclass(frozen=True)
class Run:
    """One approach on one backbone, over all splits; the dataset's own comes first."""

    bench: Bench
    outcomes: list[Outcome]
    truths: list[NDArray[np.intp]]

    @property
    def own(self) -> Outcome:
        """On the dataset's own split."""
        return self.outcomes[0]

    @property
    def right(self) -> list[NDArray[np.bool_]]:
        """Return which images it labelled right, split by split."""
        pairs = zip(self.outcomes, self.truths, strict=True)
        return [outcome.predicted == truth for outcome, truth in pairs]

    @property
    def after_features(self) -> float:
        """Seconds of everything but the features that all approaches share."""
        return sum(self.own.seconds.values())


def prepare(
    dataset: Dataset,
    source: FeatureSource,
    approaches: list[Approach],
    max_failures: str | None,
) -> Bench:
    """Load a backbone's features.

    Parameters
    ----------
    dataset : Dataset
        With labels.
    source : FeatureSource
        The backbone.
    approaches : list of Approach
        What is to run on it.
    max_failures : str or None
        See :func:`headstart.extract.pipeline.check_failures`.
    """
    backbone = source.spec.backbone
    table = load_table(dataset, source, max_failures, f"features of {backbone}")
    images = [dataset.images[i] for i in table.features.positions]
    return Bench(source, table, images, approaches)


def find_rate(bench: Bench) -> float | None:
    """Return images/s from file to features: as measured now, or by an earlier run.

    To be called when everything has run: the engine's memory is no head's.
    """
    source = bench.source
    cache = ResultsCache(source.cache / FOLDER)
    rates = cache.note("rates")
    key = f"{source.spec.id} {source.plan.engine} x{source.plan.workers}"
    if key not in rates:
        stage(f"speed of {source.spec.backbone}")
        rate = measure_rate(bench.table.paths, source)
        if rate is None:
            return None
        rates[key] = rate
        cache.write_note("rates", rates)
    return float(rates[key])


def check_same_images(benches: list[Bench]) -> None:
    """Make sure that all backbones see the same images.

    Raises
    ------
    DataError
        If one could not read an image that another could.
    """
    first = benches[0]
    for other in benches[1:]:
        if other.table.features.digests != first.table.features.digests:
            raise DataError(
                f"{other.source.spec.backbone} and {first.source.spec.backbone} could not read "
                "the same images, so they cannot be compared: see 'extract features' for each"
            )


@dataclass(frozen=True)
class _Job:
    """One approach on one split of one backbone."""

    bench: Bench
    approach: Approach
    table: Table
    key: str  # what its result is kept under

    @property
    def cache(self) -> ResultsCache:
        """Where its result is kept."""
        return ResultsCache(self.bench.source.cache / FOLDER)

    @property
    def pace(self) -> str:
        """What its duration is remembered under."""
        if self.approach.kind == "transfer":
            return self.approach.name  # a head's time hardly depends on the network
        backbone = self.bench.source.spec.backbone
        return f"{self.approach.name} {backbone} {self.approach.settings['epochs']}"


def run_all(benches: list[Bench], seed: int, repeats: int, *, recompute: bool) -> list[Run]:
    """Run what the cache of results does not hold, telling what runs and the time left.

    Parameters
    ----------
    benches : list of Bench
        From :func:`prepare`.
    seed : int
        Numbers the resplits.
    repeats : int
        Splits to run on: the dataset's own and, from 2 on, resplits.
    recompute : bool
        Run everything, whatever the cache holds.

    Returns
    -------
    list of Run
        One an approach and backbone.
    """
    jobs = _plan(benches, seed, repeats)
    kept = {} if recompute else {job.key: job.cache.load(job.key) for job in jobs}
    outcomes = {key: outcome for key, outcome in kept.items() if outcome is not None}
    missing = [job for job in jobs if job.key not in outcomes]
    images = len(benches[0].table.split.fitting)
    paces = ResultsCache(benches[0].source.cache / FOLDER)
    left = TimeLeft([job.pace for job in missing], images, paces.note("durations"))
    for number, job in enumerate(missing, start=1):
        outcomes[job.key] = _run_one(job, f"{number}/{len(missing)}", left)
        job.cache.save(job.key, outcomes[job.key])
        paces.write_note("durations", {**paces.note("durations"), **left.known})
    runs = []
    for bench in benches:
        for approach in bench.approaches:
            own = [job for job in jobs if job.bench is bench and job.approach is approach]
            truths = [job.table.y[job.table.split.evaluation] for job in own]
            runs.append(Run(bench, [outcomes[job.key] for job in own], truths))
    return runs


def _plan(benches: list[Bench], seed: int, repeats: int) -> list[_Job]:
    jobs = []
    for bench in benches:
        tables = [_on_split(bench, number, seed) for number in range(repeats)]
        prints = [fingerprint(table) for table in tables]
        for approach in bench.approaches:
            layers = {"layers_open": bench.table.layers_open}
            settings = {"name": approach.name, **layers, **approach.settings}
            for table, printed in zip(tables, prints, strict=True):
                key = result_key(bench.source.spec, printed, settings)
                jobs.append(_Job(bench, approach, table, key))
    return jobs


def _run_one(job: _Job, number: str, left: TimeLeft) -> Outcome:
    begin = time.perf_counter()
    with counted(number):
        stage(f"{job.approach.name}, about {_roughly(left.seconds())} left")
        outcome = job.approach.run(job.table, job.bench.source)
    left.done(job.pace, time.perf_counter() - begin)
    return outcome


def _roughly(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _on_split(bench: Bench, number: int, seed: int) -> Table:
    """Return the table on the dataset's own split (0) or on a resplit."""
    if number == 0:
        return bench.table
    digests = bench.table.features.digests
    # What the table keeps together stays together: a group goes by its first digest.
    first: dict[int, bytes] = {}
    for group, digest in zip(bench.table.groups.tolist(), digests, strict=True):
        first[group] = min(first.get(group, digest), digest)
    images = [
        replace(image, group=first[group].hex())
        for image, group in zip(bench.images, bench.table.groups.tolist(), strict=True)
    ]
    return replace(bench.table, split=resplit(images, digests, seed + number))
