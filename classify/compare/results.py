"""The ``results.json`` document: figures, tests and verdict from what ran."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ...extract.images.images import Dataset
from ...version import __version__
from ..data.table import Table
from ..statistics.intervals import wilson
from ..statistics.metrics import figures, metric_values
from ..statistics.paired_tests import holm, paired_test
from ..statistics.resplits import Repeated, over_resplits
from .benches import Bench, without_near_copies
from .documents import (
    RESULTS_VERSION,
    ApproachDocument,
    BackboneDocument,
    CurveDocument,
    DatasetDocument,
    DoctorDocument,
    MadeDocument,
    PairDocument,
    Results,
    SettingsDocument,
    SubsetDocument,
    TestsDocument,
)
from .kept_outcomes import fingerprint
from .run_all import Run
from .spent import Spent
from .verdict import (
    Contender,
    Measured,
    Search,
    Verdict,
    judge,
    judge_heads,
    on_one_split,
    over_splits,
)


@dataclass(frozen=True)
class Ran:
    """Everything that ran."""

    dataset: Dataset  # what was read
    benches: list[Bench]  # one a backbone
    runs: dict[str, Run]  # by the name it is printed under
    rates: dict[str, float | None]  # images/s from file to features, by the spec's id
    seed: int  # seeds the resampling

    def contenders(self, split: int = 0) -> tuple[str, str]:
        """Return the best of either side on a split, each chosen on its training data."""
        first, second = (self._best(side, split) for side in self._sides)
        return first, second

    @functools.cached_property
    def _sides(self) -> tuple[list[str], list[str]]:
        """Heads and networks; heads alone: the best one's backbone and the others, or it and they."""
        heads = [name for name, run in self.runs.items() if run.own.kind == "transfer"]
        networks = [name for name in self.runs if name not in heads]
        if networks:
            return heads, networks
        best = self._best(heads, 0)
        bench = self.runs[best].bench
        beside = [name for name in heads if self.runs[name].bench is bench]
        others = [name for name in heads if name not in beside]
        return (beside, others) if others else ([best], [name for name in heads if name != best])

    def _best(self, names: list[str], split: int) -> str:
        return max(names, key=lambda name: self.runs[name].outcomes[split].chosen_by)

    def spent(self, name: str) -> Spent:
        """Return what one of them took."""
        run = self.runs[name]
        return Spent(run, self.rates[run.bench.source.spec.id])


def summarise(
    ran: Ran,
    curve: CurveDocument | None,
    doctor: DoctorDocument,
    settings: SettingsDocument,
    made: MadeDocument,
) -> Results:
    """Return the ``results.json`` contract."""
    table = ran.benches[0].table
    apart = without_near_copies(ran.benches)
    repeated = _repeated_difference(ran)
    measured = _measure(ran, repeated)
    verdict = _judge(ran, measured)
    remarks = [line for run in ran.runs.values() for line in run.own.warnings]
    return {
        "version": RESULTS_VERSION,
        "headstart": __version__,
        "dataset": _describe(ran.dataset, table, apart),
        "approaches": [_approach(ran, name, apart) for name in ran.runs],
        "tests": _test(ran, apart),
        "repeats": None if repeated is None else {**repeated.to_dict(), "p": repeated.p},
        "verdict": verdict.sentence,
        "outcome": verdict.outcome,
        "use": verdict.use,
        "images_needed": measured.images_needed,
        "detectable": measured.detectable,
        "points_per_minute": verdict.points_per_minute,
        "curve": curve,
        "doctor": doctor,
        "backbones": [_backbone(bench, ran.rates[bench.source.spec.id]) for bench in ran.benches],
        "settings": settings,
        "made": made,
        "warnings": list(dict.fromkeys([*table.warnings, *remarks])),
    }


def _test(ran: Ran, apart: NDArray[np.bool_]) -> TestsDocument:
    first, second = ran.contenders()
    right = {name: run.right[0] for name, run in ran.runs.items()}
    tests = {pair: paired_test(right[pair[0]], right[pair[1]]) for pair in combinations(right, 2)}
    adjusted = holm([test["mcnemar_p"] for test in tests.values()])
    pairs: list[PairDocument] = [
        {"first": pair[0], "second": pair[1], **test, "holm_p": p}
        for (pair, test), p in zip(tests.items(), adjusted, strict=True)
    ]
    without = None
    if not apart.all() and apart.any():
        without = paired_test(right[first][apart], right[second][apart])
    return {
        "first": first,
        "second": second,
        **paired_test(right[first], right[second]),
        "without_near_copies": without,
        "pairs": pairs,
    }


def _measure(ran: Ran, repeated: Repeated | None) -> Measured:
    head, network = (ran.runs[name] for name in ran.contenders())
    n = len(head.truths[0])
    if repeated is None:
        return on_one_split(paired_test(head.right[0], network.right[0]), n)
    differing = [float((head != network).mean()) for head, network in _best_right(ran)]
    return over_splits(repeated, n, float(np.mean(differing)))


def _best_right(ran: Ran) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Return what the contenders of each split, head and network, label right there."""
    splits = range(len(next(iter(ran.runs.values())).outcomes))
    return [
        (ran.runs[first].right[split], ran.runs[second].right[split])
        for split in splits
        for first, second in [ran.contenders(split)]
    ]


def _repeated_difference(ran: Ran) -> Repeated | None:
    """Return accuracy of the best fine-tuning less that of the best head, over resplits."""
    some = next(iter(ran.runs.values()))
    if len(some.outcomes) == 1:
        return None
    differences = [float(network.mean() - head.mean()) for head, network in _best_right(ran)]
    return over_resplits(differences, _evaluation_to_training(some))


def _evaluation_to_training(run: Run) -> float:
    evaluation = np.mean([len(truth) for truth in run.truths])
    return float(evaluation / (len(run.bench.images) - evaluation))


def _judge(ran: Ran, measured: Measured) -> Verdict:
    # Over resplits it is the choosing of the best of a kind that is judged, not one approach.
    accuracies = np.mean([[right.mean() for right in pair] for pair in _best_right(ran)], axis=0)
    head, network = (
        Contender(name, float(accuracy), ran.spent(name).to_find)
        for name, accuracy in zip(ran.contenders(), accuracies, strict=True)
    )
    networks = [run.own for run in ran.runs.values() if run.own.kind == "finetune"]
    if not networks:
        return judge_heads(head, network, measured)
    search = Search(
        sum(outcome.candidates for outcome in networks),
        max(outcome.epochs for outcome in networks),
        len(ran.benches[0].table.split.fitting),
    )
    return judge(head, network, measured, search)


def _approach(ran: Ran, name: str, apart: NDArray[np.bool_]) -> ApproachDocument:
    """Return one entry of the contract's ``approaches``."""
    run, spent = ran.runs[name], ran.spent(name)
    own = run.own
    measured = figures(run.truths[0], own.probabilities, ran.seed)
    document: ApproachDocument = {
        "name": name,
        "kind": own.kind,
        "backbone": run.bench.source.spec.backbone,
        **metric_values({key: figure["value"] for key, figure in measured.items()}),
        "ci95": measured["accuracy"]["ci95"],
        "intervals": {key: figure["ci95"] for key, figure in measured.items()},
        "if_calibrated": {
            key: figure["if_calibrated"]
            for key, figure in measured.items()
            if "if_calibrated" in figure
        },
        "without_near_copies": _subset(run.right[0], apart),
        "seconds": round(run.after_features, 3),
        "seconds_by_part": spent.parts,
        "seconds_to_find": round(spent.to_find, 3),
        "seconds_to_train_again": round(spent.to_train_again, 3),
        "cpu_seconds": round(own.cost.cpu_seconds, 3),
        "peak_memory_mb": own.cost.peak_memory_mb,
        "trainable_parameters": own.trainable_parameters,
        "model_bytes": own.model_bytes,
        "images_per_second": _rounded(spent.labels_per_second),
        "chosen_by": own.chosen_by,
        "candidates": own.candidates,
        "epochs": own.epochs,
        "budget": own.budget,
        "history": own.history,
        "mistakes": np.flatnonzero(~run.right[0]).tolist(),
        "repeats": None,
        "reused": own.reused,
    }
    if len(run.outcomes) > 1:
        accuracies = [float(right.mean()) for right in run.right]
        document["repeats"] = over_resplits(accuracies, _evaluation_to_training(run)).to_dict()
    return document


def _subset(right: NDArray[np.bool_], apart: NDArray[np.bool_]) -> SubsetDocument | None:
    if apart.all() or not apart.any():
        return None
    hits, n = int(right[apart].sum()), int(apart.sum())
    return {"n": n, "accuracy": hits / n, "ci95": list(wilson(hits, n))}


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 1)


def _describe(dataset: Dataset, table: Table, apart: NDArray[np.bool_]) -> DatasetDocument:
    return {
        "path": str(dataset.root),
        "images": len(dataset.images),
        "classes": table.classes,
        "training": len(table.split.fitting),
        "evaluation": len(table.split.evaluation),
        "near_copies": int((~apart).sum()),
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


def _backbone(bench: Bench, rate: float | None) -> BackboneDocument:
    extraction = bench.table.features.extraction
    return {
        "backbone": bench.source.spec.backbone,
        "spec": {"id": bench.source.spec.id, **json.loads(bench.source.spec.to_json())},
        "seconds": round(extraction.seconds, 3),
        "extracted": extraction.extracted,
        "images_per_second": _rounded(rate),
    }
