"""The ``results.json`` document: figures, tests and verdict from what ran."""

from __future__ import annotations

import hashlib
import json
from itertools import combinations
from typing import Any

import numpy as np

from ...extract.images.images import Dataset
from ...extract.pipeline import Extraction
from ...version import __version__
from ..data.table import Table
from ..statistics.metrics import figures
from ..statistics.paired_tests import PairedTest, Repeated, holm, over_resplits, paired_test
from .kept_outcomes import fingerprint
from .run_all import Bench, Run
from .verdict import Contender, Verdict, judge

RESULTS_VERSION = 2


def summarise(
    dataset: Dataset,
    benches: list[Bench],
    named: dict[str, Run],
    rates: dict[str, float | None],
    seed: int,
) -> dict[str, Any]:
    """Return the ``results.json`` contract, but for how it was made.

    Parameters
    ----------
    dataset : Dataset
        What was read.
    benches : list of Bench
        One a backbone.
    named : dict of str to Run
        What ran, by the name it is printed under.
    rates : dict of str to (float or None)
        Images/s from file to features, by the spec's id.
    seed : int
        Seeds the resampling.
    """
    best = {kind: _best(named, kind) for kind in ("transfer", "finetune")}
    head, tuned = named[best["transfer"]], named[best["finetune"]]
    tests = {
        pair: paired_test(named[pair[0]].right[0], named[pair[1]].right[0], seed)
        for pair in combinations(named, 2)
    }
    test = paired_test(head.right[0], tuned.right[0], seed)
    repeated = _repeated_difference(named)
    told = _judge(best, named, test, repeated)
    table = benches[0].table
    remarks = [line for run in named.values() for line in run.own.warnings]
    return {
        "version": RESULTS_VERSION,
        "headstart": __version__,
        "dataset": _describe(dataset, table),
        "approaches": [
            _entry(name, run, rates[run.bench.source.spec.id], seed) for name, run in named.items()
        ],
        "tests": {
            "first": best["transfer"],
            "second": best["finetune"],
            **test.to_dict(),
            "pairs": _pairs(tests),
        },
        "repeats": None if repeated is None else {**repeated.to_dict(), "p": repeated.p},
        "verdict": told.sentence,
        "outcome": told.outcome,
        "use": told.use,
        "images_needed": told.images_needed,
        "points_per_minute": told.points_per_minute,
        "backbones": [_describe_bench(bench, rates[bench.source.spec.id]) for bench in benches],
        "warnings": list(dict.fromkeys([*table.warnings, *remarks])),
    }


def _best(named: dict[str, Run], kind: str, split: int = 0) -> str:
    of_kind = [name for name, run in named.items() if run.own.kind == kind]
    return max(of_kind, key=lambda name: named[name].outcomes[split].chosen_by)


def _judge(
    best: dict[str, str], named: dict[str, Run], test: PairedTest, repeated: Repeated | None
) -> Verdict:
    contenders = []
    for kind in ("transfer", "finetune"):
        run = named[best[kind]]
        # Over resplits it is the choosing of the best of a kind that is judged, not one approach.
        splits = range(len(run.right)) if repeated is not None else [0]
        accuracy = float(np.mean([named[_best(named, kind, s)].right[s].mean() for s in splits]))
        contenders.append(Contender(best[kind], accuracy, run.after_features))
    n = len(named[best["transfer"]].truths[0])
    return judge(contenders[0], contenders[1], test, n, repeated)


def _repeated_difference(named: dict[str, Run]) -> Repeated | None:
    """Return accuracy of the best fine-tuning less that of the best head, over resplits."""
    some = next(iter(named.values()))
    count = len(some.outcomes)
    if count == 1:
        return None
    differences = [
        float(
            named[_best(named, "finetune", s)].right[s].mean()
            - named[_best(named, "transfer", s)].right[s].mean()
        )
        for s in range(count)
    ]
    return over_resplits(differences, _evaluation_to_training(some))


def _evaluation_to_training(run: Run) -> float:
    evaluation = np.mean([len(truth) for truth in run.truths])
    return float(evaluation / (len(run.bench.images) - evaluation))


def _pairs(tests: dict[tuple[str, str], PairedTest]) -> list[dict[str, Any]]:
    adjusted = holm([test.mcnemar_p for test in tests.values()])
    return [
        {"first": first, "second": second, **test.to_dict(), "holm_p": p}
        for ((first, second), test), p in zip(tests.items(), adjusted, strict=True)
    ]


def _entry(name: str, run: Run, rate: float | None, seed: int) -> dict[str, Any]:
    """Return one entry of the contract's ``approaches``."""
    own = run.own
    found = figures(run.truths[0], own.probabilities, seed)
    entry: dict[str, Any] = {
        "name": name,
        "kind": own.kind,
        "backbone": run.bench.source.spec.backbone,
        "accuracy": found["accuracy"].value,
        "ci95": list(found["accuracy"].ci95),
        **{metric: figure.value for metric, figure in found.items()},
        "intervals": {metric: list(figure.ci95) for metric, figure in found.items()},
        "seconds": round(run.after_features, 3),
        "seconds_by_part": _parts(run, rate),
        "cpu_seconds": round(own.cost.cpu_seconds, 3),
        "peak_memory_mb": own.cost.peak_memory_mb,
        "trainable_parameters": own.trainable_parameters,
        "model_bytes": own.model_bytes,
        "images_per_second": _rounded(_labels_per_second(run, rate)),
        "chosen_by": own.chosen_by,
        "budget": own.budget,
        "history": own.history,
        "mistakes": np.flatnonzero(~run.right[0]).tolist(),
        "reused": own.reused,
    }
    if own.cost.energy_joules is not None:
        entry["energy_joules"] = round(own.cost.energy_joules, 1)
    if len(run.outcomes) > 1:
        accuracies = [float(right.mean()) for right in run.right]
        entry["repeats"] = over_resplits(accuracies, _evaluation_to_training(run)).to_dict()
    return entry


def _parts(run: Run, rate: float | None) -> dict[str, float | None]:
    """Split wall time; features count as if none had been cached."""
    own = run.own
    features = _uncached_seconds(run.bench.table.features.extraction, rate)
    if features is not None:
        features = round(features + own.seconds.get("activations", 0.0), 3)
    parts = ("selection", "training", "prediction")
    return {"features": features, **{part: round(own.seconds[part], 3) for part in parts}}


def _uncached_seconds(extraction: Extraction, rate: float | None) -> float | None:
    """Return what the features would have taken, at the measured rate where they were cached."""
    if extraction.reused == 0:
        return extraction.seconds
    return None if rate is None else extraction.seconds + extraction.reused / rate


def _labels_per_second(run: Run, rate: float | None) -> float | None:
    """Return the rate from file to label."""
    if rate is None:
        return None
    return 1 / (1 / rate + run.own.seconds["prediction"] / len(run.truths[0]))


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 1)


def _describe(dataset: Dataset, table: Table) -> dict[str, Any]:
    return {
        "path": str(dataset.root),
        "images": len(dataset.images),
        "classes": table.classes,
        "training": len(table.split.fitting),
        "evaluation": len(table.split.evaluation),
        "split": table.split.name,
        "failed": len(table.features.extraction.failures),
        "fingerprint": fingerprint(table),
        "evaluation_fingerprint": _evaluation_fingerprint(table),
    }


def _evaluation_fingerprint(table: Table) -> str:
    """Return the SHA-256 of the evaluation images and their labels, in order."""
    digest = hashlib.sha256()
    for row in table.split.evaluation:
        digest.update(table.features.digests[row])
        digest.update(table.classes[table.y[row]].encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _describe_bench(bench: Bench, rate: float | None) -> dict[str, Any]:
    extraction = bench.table.features.extraction
    return {
        "backbone": bench.source.spec.backbone,
        "spec": {"id": bench.source.spec.id, **json.loads(bench.source.spec.to_json())},
        "seconds": round(extraction.seconds, 3),
        "extracted": extraction.extracted,
        "images_per_second": _rounded(rate),
    }
