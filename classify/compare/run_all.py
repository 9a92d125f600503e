"""Approaches run on the same splits, reusing what was computed before."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...progress import counted, stage
from ..data.table import Table
from .approaches import Approach
from .benches import Bench
from .kept_outcomes import Outcome, fingerprint, result_key
from .recipe import recipe as own_recipe
from .time_left import TimeLeft


@dataclass(frozen=True, slots=True)
class Procedure:
    """How a comparison runs."""

    seed: int = 0  # seeds folds, heads and resampling, and numbers the resplits
    repeats: int = 1  # splits to run on: the dataset's own and, from 2 on, stable resplits
    recompute: bool = False  # run everything again, whatever the cache of results holds
    # what computes results: one of another recipe is not reused
    recipe: str = field(default_factory=own_recipe)


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


@dataclass(frozen=True)
class _Job:
    """One approach on one split of one backbone; the split is laid out when it runs."""

    bench: Bench
    approach: Approach
    split: int
    key: str  # what its result is kept under

    @property
    def pace(self) -> str:
        """What its duration is remembered under."""
        if self.approach.kind == "transfer":
            return self.approach.name  # a head's time hardly depends on the network
        settings = json.dumps(self.approach.settings, sort_keys=True, default=str)
        digest = hashlib.sha256(settings.encode()).hexdigest()[:8]
        return f"{self.approach.name} {self.bench.source.spec.backbone} {digest}"


def run_all(benches: list[Bench], procedure: Procedure) -> list[Run]:
    """Run what the cache of results does not hold, telling what runs and the time left.

    Returns
    -------
    list of Run
        One an approach and backbone.
    """
    plans = [_plan(bench, procedure) for bench in benches]
    jobs = [job for plan in plans for job in plan.jobs]
    kept = {} if procedure.recompute else {job.key: job.bench.kept.load(job.key) for job in jobs}
    outcomes = {key: outcome for key, outcome in kept.items() if outcome is not None}
    missing = [job for job in jobs if job.key not in outcomes]
    paces = benches[0].kept
    typical = {job.pace: job.approach.typical / 1000 for job in missing}
    images = len(benches[0].table.split.fitting)
    known = {**typical, **paces.note("durations")}
    left = TimeLeft([job.pace for job in missing], images, known)
    for number, job in enumerate(missing, start=1):
        table = job.bench.on_split(job.split, procedure.seed)
        outcomes[job.key] = _run_one(job, table, f"{number}/{len(missing)}", left)
        job.bench.kept.save(job.key, outcomes[job.key])
        paces.write_note("durations", {**paces.note("durations"), **left.measured})
    return [
        Run(
            plan.bench,
            [outcomes[job.key] for job in plan.jobs if job.approach is approach],
            plan.truths,
        )
        for plan in plans
        for approach in plan.bench.approaches
    ]


@dataclass(frozen=True)
class _Plan:
    """What is to run on a bench, approach by approach, and the classes each split evaluates."""

    bench: Bench
    jobs: list[_Job]
    truths: list[NDArray[np.intp]]


def _plan(bench: Bench, procedure: Procedure) -> _Plan:
    prints, truths = [], []
    for number in range(procedure.repeats):
        table = bench.on_split(number, procedure.seed)
        prints.append(fingerprint(table))
        truths.append(table.y[table.split.evaluation])
    jobs = []
    for approach in bench.approaches:
        layers = {"layers_open": bench.table.layers_open}
        settings = {"name": approach.name, **layers, **approach.settings}
        for number, printed in enumerate(prints):
            key = result_key(bench.source.spec, printed, settings, procedure.recipe)
            jobs.append(_Job(bench, approach, number, key))
    return _Plan(bench, jobs, truths)


def _run_one(job: _Job, table: Table, number: str, left: TimeLeft) -> Outcome:
    begin = time.perf_counter()
    with counted(number):
        stage(f"{job.approach.name}, about {_roughly(left.seconds())} left")
        outcome = job.approach.run(table, job.bench.source)
    left.done(job.pace, time.perf_counter() - begin)
    return outcome


def _roughly(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
