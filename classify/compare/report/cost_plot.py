"""Accuracy against cost, a point an approach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....text import shown
from ..documents import ApproachDocument
from .style import COLOURS, KINDS, MARKERS, short
from .svg import drawing, to_svg

SHORTEST = 0.01  # seconds: a logarithmic axis has no 0
LABEL_OFFSETS = [(x, y) for y in (-3, 7, -13, 17, -23, 27, -33) for x in (6, -6)]  # points

Box = tuple[float, float, float, float]  # left, bottom, right, top, in points


def accuracy_against_cost(approaches: Sequence[ApproachDocument]) -> str:
    """Plot accuracy with its interval against what it costs to find."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    with drawing("cost"):
        figure = Figure(figsize=(5.6, 4.0))
        axes = figure.subplots()
        for kind, label in KINDS.items():
            of_kind = [approach for approach in approaches if approach["kind"] == kind]
            if not of_kind:
                continue
            accuracy = np.array([100 * approach["accuracy"] for approach in of_kind])
            bounds = 100 * np.array([approach["ci95"] for approach in of_kind])
            axes.errorbar(
                [_seconds(approach) for approach in of_kind],
                accuracy,
                yerr=np.abs(bounds.T - accuracy),
                fmt=MARKERS[kind],
                color=COLOURS[kind],
                ecolor=(COLOURS[kind], 0.45),
                markersize=7,
                elinewidth=1.5,
                label=label,
            )
        axes.set_xscale("log")
        axes.margins(x=0.15, y=0.08)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=9))
        axes.xaxis.set_major_formatter(FuncFormatter(_time))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("time to find: features, everything tried, training")
        axes.set_ylabel("accuracy, %")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        _label_points(figure, axes, approaches)
        words = "; ".join(
            f"{approach['name']} {approach['accuracy']:.1%} in {approach['seconds_to_find']:.1f} s"
            for approach in approaches
        )
        return to_svg(figure, "cost", f"Accuracy against time. {shown(words)}.")


def _seconds(approach: ApproachDocument) -> float:
    return max(approach["seconds_to_find"], SHORTEST)


def _time(seconds: float, _: object = None) -> str:
    if seconds < 300:
        return f"{seconds:g} s"
    return f"{seconds / 60:.3g} min" if seconds < 3600 else f"{seconds / 3600:.3g} h"


def _label_points(figure: Any, axes: Any, approaches: Sequence[ApproachDocument]) -> None:
    """Name each point where its name covers no other name and no point, if there is such a place."""
    figure.canvas.draw()
    where = [(_seconds(approach), 100 * approach["accuracy"]) for approach in approaches]
    points = axes.transData.transform(where) * 72 / figure.dpi
    lowest, highest = (edge * 72 / figure.dpi for edge in (axes.bbox.x0, axes.bbox.x1))
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in points]
    for approach, position, (x, y) in zip(approaches, where, points, strict=True):
        name = short(approach["name"].removeprefix("fine-tuned from "), 34)
        width = 5.4 * len(name)  # points: DejaVu Sans at 8.5 takes some 5.4 a letter
        for dx, dy in LABEL_OFFSETS:
            left = x + dx if dx > 0 else x + dx - width
            box = (left, y + dy, left + width, y + dy + 9)
            within = lowest <= box[0] and box[2] <= highest
            if within and not any(_overlap(box, label) for label in taken):
                break
        taken.append(box)
        axes.annotate(
            name,
            position,
            xytext=(dx, dy),
            textcoords="offset points",
            ha="left" if dx > 0 else "right",
            fontsize=8.5,
        )


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
