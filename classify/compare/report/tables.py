"""The table of a report for the terminal, for spreadsheets and for pull requests."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from ....text import shown
from ...pages.markdown import escaped
from ...statistics.metrics import METRICS
from ...statistics.paired_tests import exact_mcnemar
from ..documents import ApproachDocument, Results
from ..verdict import duration

HEADER = [
    *("approach", "accuracy", "95 % interval", "log loss"),
    *("to find", "again", "peak MB", "trainable"),
]
WITHOUT_COPIES = ["without copies", "95 % interval"]
SIDE_BY_SIDE = ["approach", "first", "95 % interval", "second", "95 % interval", "points", "p"]
PLAIN = ("name", "kind", "backbone")
COSTS = (
    *("seconds", "seconds_to_find", "seconds_to_train_again", "cpu_seconds", "peak_memory_mb"),
    *("trainable_parameters", "model_bytes", "images_per_second"),
)
PARTS = ("features", "selection", "training", "prediction")


def table(results: Results) -> list[list[str]]:
    """Return the header and one row an approach.

    Where evaluation images look like training images, accuracy without them stands at the end.
    """
    lines = [HEADER, *(_row(approach) for approach in results["approaches"])]
    if not _has_copies(results):
        return lines
    ends = [WITHOUT_COPIES, *(_apart(approach) for approach in results["approaches"])]
    return [[*line, *end] for line, end in zip(lines, ends, strict=True)]


def _has_copies(results: Results) -> bool:
    return any(approach["without_near_copies"] for approach in results["approaches"])


def _row(approach: ApproachDocument) -> list[str]:
    peak = approach["peak_memory_mb"]
    accuracy = METRICS["accuracy"]
    return [
        shown(approach["name"]),
        accuracy.text(approach["accuracy"]),
        accuracy.range(approach["ci95"]),
        METRICS["log_loss"].text(approach["log_loss"]),
        duration(approach["seconds_to_find"]),
        duration(approach["seconds_to_train_again"]),
        "–" if peak is None else f"{peak:,.0f}",
        f"{approach['trainable_parameters']:,}",
    ]


def _apart(approach: ApproachDocument) -> list[str]:
    apart, accuracy = approach["without_near_copies"], METRICS["accuracy"]
    if apart is None:
        return ["–", "–"]
    return [accuracy.text(apart["accuracy"]), accuracy.range(apart["ci95"])]


def to_csv(results: Results) -> str:
    """Return every figure of every approach, one line each, intervals as ``_low`` and ``_high``."""
    buffer = io.StringIO()
    bounds = [f"{metric}_{end}" for metric in METRICS for end in ("low", "high")]
    parts = [f"seconds_{part}" for part in PARTS]
    apart = [f"{key}_without_near_copies" for key in ("n", "accuracy")]
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*PLAIN, *METRICS, *bounds, *COSTS, *parts, *apart])
    for approach in results["approaches"]:
        values = cast("Mapping[str, Any]", approach)
        without = approach["without_near_copies"]
        writer.writerow(
            [
                *(values[key] for key in (*PLAIN, *METRICS)),
                *(bound for metric in METRICS for bound in approach["intervals"][metric]),
                *(values[key] for key in COSTS),
                *(cast("Mapping[str, Any]", approach["seconds_by_part"])[part] for part in PARTS),
                *(("", "") if without is None else (without["n"], without["accuracy"])),
            ]
        )
    return buffer.getvalue()


def to_markdown(results: Results) -> str:
    """Return verdict and table for a pull request."""
    header, *rows = table(results)
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    data = results["dataset"]
    about = (
        f"{data['evaluation']} images of the {data['split']} split of `{shown(data['path'])}`, "
        f"used once; {data['training']} train. To find: features, all that was tried, training; "
        f"again: features and training. headstart {results['headstart']}, seed "
        f"{results['settings']['seed']}."
    )
    if _has_copies(results):
        about += f" Evaluation images that look like a training image: {data['near_copies']}."
    drawn = [f"| {' | '.join(map(escaped, line))} |" for line in lines]
    return "\n".join([f"**{escaped(results['verdict'])}**", "", *drawn, "", about, ""])


def side_by_side(first: Results, second: Results) -> list[list[str]]:
    """Return one row an approach of either report: both accuracies, and their difference.

    Where both evaluated the same images the difference has an exact McNemar p.
    """
    images = [results["dataset"]["evaluation_fingerprint"] for results in (first, second)]
    same = images[0] == images[1]
    named = [
        {approach["name"]: approach for approach in results["approaches"]}
        for results in (first, second)
    ]
    return [
        [shown(name), *_beside(named[0].get(name), named[1].get(name), same=same)]
        for name in dict.fromkeys([*named[0], *named[1]])
    ]


def _beside(
    first: ApproachDocument | None, second: ApproachDocument | None, *, same: bool
) -> list[str]:
    accuracy = METRICS["accuracy"]
    cells = []
    for approach in (first, second):
        cells += (
            ["–", ""]
            if approach is None
            else [accuracy.text(approach["accuracy"]), accuracy.range(approach["ci95"])]
        )
    if first is None or second is None:
        return [*cells, "", ""]
    difference = f"{100 * (second['accuracy'] - first['accuracy']):+.1f}"
    return [*cells, difference, f"{_mcnemar(first, second):.3f}" if same else "–"]


def _mcnemar(first: ApproachDocument, second: ApproachDocument) -> float:
    only_second = len(np.setdiff1d(first["mistakes"], second["mistakes"]))
    only_first = len(np.setdiff1d(second["mistakes"], first["mistakes"]))
    return exact_mcnemar(only_first, only_second)
