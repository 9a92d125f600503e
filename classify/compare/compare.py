"""Heads on frozen features against fine-tuning, on the same images: the protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError
from ...extract.backbone.onnx_file import NO_GRAPH
from ...extract.images.addresses import Reference
from ...extract.images.images import Dataset
from ...extract.source import FeatureSource
from ...progress import stage
from ..data.table import Table
from ..heads.table import find_heads
from ..saved.made_with import describe_machine, versions
from .approaches import Approach, head_approach
from .benches import Bench, check_same_images, find_rate, prepare
from .beside import find_curve, find_findings
from .documents import MadeDocument, Results, SettingsDocument
from .results import Ran, summarise
from .run_all import Procedure, Run, run_all

MAPPED = 1_000  # evaluation images that a map can show
IN_8_BITS = "a network in 8 bits only runs, heads on its features are what is possible"


@dataclass(frozen=True)
class Comparison:
    """What a comparison found."""

    results: Results  # the `results.json` contract
    evidence: Evidence  # what the page shows beyond it


@dataclass(frozen=True)
class Evidence:
    """The evaluation images and what each approach made of them."""

    paths: list[Reference]  # (n,)
    truth: NDArray[np.intp]  # (n,): their classes
    probabilities: dict[str, NDArray[np.float64]]  # (n, k): by approach
    # (m, d): of the first thousand images at most, of the backbone of the best head
    features: NDArray[np.float32]


def compare(
    dataset: Dataset,
    sources: Sequence[FeatureSource],
    heads: Sequence[str],
    networks: Sequence[Callable[[FeatureSource], Approach]],
    procedure: Procedure | None = None,
    *,
    max_failures: str | None = None,
    command: str = "",
) -> Comparison:
    """Run every approach on the same splits.

    The best head is the one with the best cross-validated accuracy, the best
    fine-tuned network the one with the best accuracy on images held out of
    training: the evaluation split is used once, for the figures alone. Where nothing can be
    fine-tuned, heads alone are compared. What was computed before for the same inputs by the
    same code is taken from the cache of results.

    Parameters
    ----------
    dataset : Dataset
        With labels.
    sources : sequence of FeatureSource
        One a backbone.
    heads : sequence of str
        Names in the table of heads.
    networks : sequence of callable
        From a source to a fine-tuned network, see
        :func:`headstart.classify.compare.approaches.finetune_approach`.
    procedure : Procedure, optional
        Seed, splits, and what is taken from the cache of results.
    max_failures : str, optional
        See :func:`headstart.extract.failures.check_failures`.
    command : str
        What was typed, for the record.

    Raises
    ------
    DataError
        If the splits cannot be used.
    OptionError
        If a head is unknown, a network cannot be fine-tuned, or there is nothing to compare.
    """
    procedure = procedure or Procedure()
    benches = _prepare(dataset, sources, heads, networks, procedure.seed, max_failures)
    runs = run_all(benches, procedure)
    rates = {bench.source.spec.id: find_rate(bench) for bench in benches}
    ran = Ran(dataset, benches, _named(runs, benches), rates, procedure.seed)
    best = ran.runs[ran.contenders()[0]]
    curve = find_curve(best, procedure)
    doctor = find_findings(dataset, best.bench, procedure)
    stage("figures")
    made: MadeDocument = {
        "command": command,
        "versions": versions(),
        "machine": describe_machine(),
    }
    results = summarise(ran, curve, doctor, _settings(heads, benches, procedure), made)
    return Comparison(results, _evidence(ran.runs, best.bench.table))


def _prepare(
    dataset: Dataset,
    sources: Sequence[FeatureSource],
    heads: Sequence[str],
    networks: Sequence[Callable[[FeatureSource], Approach]],
    seed: int,
    max_failures: str | None,
) -> list[Bench]:
    rows = find_heads(heads)
    trainable = [source.trainable for source in sources]
    fixed = [
        (source.label, IN_8_BITS if source.spec.precision == "int8" else NO_GRAPH)
        for source in sources
        if not source.trainable
    ]
    if len(rows) == len(fixed) == len(sources) == 1:
        name, why = fixed[0]
        raise OptionError(
            f"one head on {name} is nothing to compare, and {why}: name another --model or --backbone"
        )
    dataset.warnings.extend(f"{name} was not fine-tuned: {why}" for name, why in fixed)
    plans = [  # errors now, not after an extraction
        [
            *(head_approach(row, seed) for row in rows),
            *(make(source) for make in networks if moves),
        ]
        for source, moves in zip(sources, trainable, strict=True)
    ]
    benches = [
        prepare(dataset, source, approaches, max_failures)
        for source, approaches in zip(sources, plans, strict=True)
    ]
    check_same_images(benches)
    return benches


def _settings(heads: Sequence[str], benches: list[Bench], procedure: Procedure) -> SettingsDocument:
    searched = (
        [
            candidate
            for approach in bench.approaches
            for candidate in approach.settings.get("candidates", [])
        ]
        for bench in benches
    )
    return {
        "heads": list(heads),
        "finetune": next(filter(None, searched), []),  # the same on all that can be trained
        "seed": procedure.seed,
        "repeats": procedure.repeats,
    }


def _named(runs: list[Run], benches: list[Bench]) -> dict[str, Run]:
    """Return runs by the name they are printed under: with the backbone where there are several.

    Where these are called alike, the features' id stands behind.
    """
    labels = Counter(bench.source.label for bench in benches)

    def name(run: Run) -> str:
        source = run.bench.source
        behind = f" ({source.spec.id})" if labels[source.label] > 1 else ""
        return f"{run.own.name} on {source.label}{behind}" if len(benches) > 1 else run.own.name

    return {name(run): run for run in runs}


def _evidence(runs: dict[str, Run], table: Table) -> Evidence:
    rows = table.split.evaluation
    return Evidence(
        paths=[table.paths[i] for i in rows],
        truth=table.y[rows],
        probabilities={name: run.own.probabilities for name, run in runs.items()},
        features=table.X[rows[:MAPPED]],
    )
