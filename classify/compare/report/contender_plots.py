"""The two approaches that the verdict compares: reliability, and recall class by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....text import shown
from ...statistics.intervals import wilson
from ...statistics.reliability import reliability
from ..documents import Kind
from .style import COLOURS, MARKERS, short
from .svg import INK, drawing, to_svg

MOST_CLASSES = 40  # in the plot of recalls


@dataclass(frozen=True, slots=True)
class Charted:
    """One of the two approaches."""

    # as in the results
    name: str
    kind: Kind
    probabilities: NDArray[np.float64]  # (n, k): on the evaluation split


def reliability_diagram(contenders: Sequence[Charted], truth: NDArray[np.intp]) -> str:
    """Plot accuracy against confidence, bin by bin, with Wilson's intervals."""
    from matplotlib.figure import Figure

    with drawing("reliability"):
        figure = Figure(figsize=(5.2, 2.9))
        panels = figure.subplots(1, len(contenders), sharey=True, squeeze=False)[0]
        words = []
        for axes, contender in zip(panels, contenders, strict=True):
            rows = reliability(truth, contender.probabilities)
            confidence = [row["confidence"] for row in rows]
            accuracy = np.array([row["accuracy"] for row in rows])
            bounds = [wilson(round(row["accuracy"] * row["n"]), row["n"]) for row in rows]
            axes.plot([0, 1], [0, 1], color=INK, linewidth=1, alpha=0.5)
            axes.errorbar(
                confidence,
                accuracy,
                yerr=np.abs(np.array(bounds).T - accuracy),
                fmt=MARKERS[contender.kind],
                color=COLOURS[contender.kind],
                ecolor=(COLOURS[contender.kind], 0.45),
                markersize=5,
            )
            axes.set_title(short(contender.name, 26))
            axes.set_xlabel("confidence")
            axes.set_xlim(0, 1.02)
            axes.set_ylim(0, 1.02)
            axes.set_aspect("equal")
            sure = rows[-1]
            words.append(
                f"{shown(contender.name)}: of {sure['n']} images with mean confidence "
                f"{sure['confidence']:.1%}, {sure['accuracy']:.1%} right"
            )
        panels[0].set_ylabel("share right")
        return to_svg(figure, "reliability", f"Reliability. {'; '.join(words)}.")


def recall_by_class(
    contenders: Sequence[Charted], truth: NDArray[np.intp], classes: Sequence[str]
) -> str:
    """Plot each class's recall with Wilson's interval, the hardest classes on top."""
    from matplotlib.figure import Figure

    counts = np.bincount(truth, minlength=len(classes))
    hits = np.array(
        [
            np.bincount(
                truth[contender.probabilities.argmax(axis=1) == truth], minlength=len(classes)
            )
            for contender in contenders
        ]
    )
    present = np.flatnonzero(counts)
    recalls = hits[:, present] / counts[present]  # (contenders, classes present)
    order = present[np.argsort(recalls.mean(axis=0), kind="stable")][:MOST_CLASSES]
    with drawing("recall"):
        figure = Figure(figsize=(5.2, 0.9 + 0.27 * len(order)))
        axes = figure.subplots()
        for shift, contender, right in zip((-0.17, 0.17), contenders, hits, strict=False):
            share = right[order] / counts[order]
            bounds = [wilson(int(right[c]), int(counts[c])) for c in order]
            axes.errorbar(
                100 * share,
                np.arange(len(order)) + shift,
                xerr=100 * np.abs(np.array(bounds).T - share),
                fmt=MARKERS[contender.kind],
                color=COLOURS[contender.kind],
                ecolor=(COLOURS[contender.kind], 0.45),
                markersize=4.5,
                label=short(contender.name, 30),
            )
        labels = [f"{short(classes[c], 24)} ({counts[c]})" for c in order]
        axes.set_yticks(np.arange(len(order)), labels)
        axes.set_ylim(len(order) - 0.5, -0.5)
        axes.set_xlabel("recall, %")
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=2)
        worst = order[0]
        return to_svg(
            figure,
            "recall",
            f"Recall of {len(order)} classes; the lowest is {shown(classes[worst])} with "
            + " and ".join(
                f"{right[worst]} of {counts[worst]} by {shown(contender.name)}"
                for contender, right in zip(contenders, hits, strict=True)
            )
            + ".",
        )
