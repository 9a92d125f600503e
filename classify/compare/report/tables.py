"""The table of a report for the terminal, for spreadsheets and for pull requests."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np

from ....text import shown
from ...pages.markdown import escaped
from ...statistics.paired_tests import paired_test
from ..verdict import duration

HEADER = ["approach", "accuracy", "95 % interval", "log loss", "time", "peak MB", "trainable"]
SIDE_BY_SIDE = ["approach", "first", "95 % interval", "second", "95 % interval", "points", "p"]
METRICS = ("accuracy", "macro_f1", "balanced_accuracy", "log_loss", "brier", "ece")
PLAIN = ("name", "kind", "backbone")
COSTS = (
    *("seconds", "cpu_seconds", "peak_memory_mb", "energy_joules", "trainable_parameters"),
    *("model_bytes", "images_per_second"),
)
PARTS = ("features", "selection", "training", "prediction")


def rows(results: dict[str, Any]) -> list[list[str]]:
    """Return one row an approach, under :data:`HEADER`."""
    return [
        [
            shown(one["name"]),
            percent(one["accuracy"]),
            interval(one["ci95"]),
            f"{one['log_loss']:.3f}",
            duration(one["seconds"]),
            "–" if one["peak_memory_mb"] is None else f"{one['peak_memory_mb']:,.0f}",
            f"{one['trainable_parameters']:,}",
        ]
        for one in results["approaches"]
    ]


def percent(share: float) -> str:
    """Return a share in per cent.

    Examples
    --------
    >>> percent(0.9816)
    '98.2 %'
    """
    return f"{100 * share:.1f} %"


def interval(bounds: list[float]) -> str:
    """Return two shares as one range in per cent."""
    return f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f} %"


def to_csv(results: dict[str, Any]) -> str:
    """Return every figure of every approach, one line each, intervals as ``_low`` and ``_high``."""
    buffer = io.StringIO()
    bounds = [f"{metric}_{end}" for metric in METRICS for end in ("low", "high")]
    parts = [f"seconds_{part}" for part in PARTS]
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*PLAIN, *METRICS, *bounds, *COSTS, *parts])
    for one in results["approaches"]:
        writer.writerow(
            [
                *(one[key] for key in (*PLAIN, *METRICS)),
                *(end for metric in METRICS for end in one["intervals"][metric]),
                *(one.get(key) for key in COSTS),
                *(one["seconds_by_part"][part] for part in PARTS),
            ]
        )
    return buffer.getvalue()


def to_markdown(results: dict[str, Any]) -> str:
    """Return verdict and table for a pull request."""
    table = [HEADER, ["---", *["---:"] * (len(HEADER) - 1)], *rows(results)]
    lines = [f"| {' | '.join(map(escaped, row))} |" for row in table]
    data = results["dataset"]
    about = (
        f"{data['evaluation']} images of the {data['split']} split of `{shown(data['path'])}`, "
        f"used once; {data['training']} train. Time is after the shared features. "
        f"headstart {results['headstart']}, seed {results['settings']['seed']}."
    )
    return "\n".join([f"**{escaped(results['verdict'])}**", "", *lines, "", about, ""])


def side_by_side(first: dict[str, Any], second: dict[str, Any]) -> list[list[str]]:
    """Return one row an approach of either report: both accuracies, and their difference.

    Where both evaluated the same images the difference has an exact McNemar p.
    """
    key = "evaluation_fingerprint"
    same = first["dataset"][key] == second["dataset"][key]
    tables = [{one["name"]: one for one in results["approaches"]} for results in (first, second)]
    found = []
    for name in dict.fromkeys([*tables[0], *tables[1]]):
        pair = [table.get(name) for table in tables]
        row = [shown(name)]
        for one in pair:
            row += ["–", ""] if one is None else [percent(one["accuracy"]), interval(one["ci95"])]
        if pair[0] is None or pair[1] is None:
            found.append([*row, "", ""])
            continue
        difference = f"{100 * (pair[1]['accuracy'] - pair[0]['accuracy']):+.1f}"
        p = f"{_mcnemar(pair[0], pair[1], first['dataset']['evaluation']):.3f}" if same else "–"
        found.append([*row, difference, p])
    return found


def _mcnemar(one: dict[str, Any], other: dict[str, Any], n: int) -> float:
    right = [~np.isin(np.arange(n), result["mistakes"]) for result in (one, other)]
    return paired_test(right[0], right[1]).mcnemar_p
