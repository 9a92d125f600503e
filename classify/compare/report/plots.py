"""The report's figures, each a function from figures to an SVG element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....text import shown
from ...statistics.intervals import wilson
from ...statistics.metrics import reliability
from .svg import INK, drawing, to_svg

# Over 3:1 against white and against the dark page alike.
COLOURS = {"transfer": "#3b7ddd", "finetune": "#d9601a"}
MARKERS = {"transfer": "o", "finetune": "D"}
KINDS = {"transfer": "head on frozen features", "finetune": "fine-tuned network"}
MOST_CLASSES = 40  # in the plot of recalls
SHORTEST = 0.01  # seconds: a logarithmic axis has no 0
LABEL_OFFSETS = [(x, y) for y in (-3, 7, -13, 17, -23, 27, -33) for x in (6, -6)]  # points


@dataclass(frozen=True, slots=True)
class Contender:
    """One of the two approaches that the verdict compares.

    Parameters
    ----------
    name, kind : str
        As in the results.
    probabilities : ndarray, shape (n, k)
        On the evaluation split.
    """

    name: str
    kind: str
    probabilities: NDArray[np.float64]


def accuracy_against_cost(approaches: Sequence[dict[str, Any]]) -> str:
    """Plot accuracy with its interval against the time after the shared features."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    with drawing("cost"):
        figure = Figure(figsize=(5.6, 4.0))
        axes = figure.subplots()
        for kind, label in KINDS.items():
            mine = [one for one in approaches if one["kind"] == kind]
            if not mine:
                continue
            accuracy = np.array([100 * one["accuracy"] for one in mine])
            bounds = 100 * np.array([one["ci95"] for one in mine])
            axes.errorbar(
                [max(one["seconds"], SHORTEST) for one in mine],
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
        axes.set_xlabel("time after the shared features: choice, training, prediction")
        axes.set_ylabel("accuracy, %")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        _label_points(figure, axes, approaches)
        told = "; ".join(
            f"{one['name']} {one['accuracy']:.1%} in {one['seconds']:.1f} s" for one in approaches
        )
        return to_svg(figure, "cost", f"Accuracy against time. {shown(told)}.")


def learning_curve(label: str, points: Sequence[dict[str, Any]]) -> str:
    """Plot accuracy with its interval against training images a class."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator

    with drawing("curve"):
        figure = Figure(figsize=(4.8, 2.8))
        axes = figure.subplots()
        at = [point["images_a_class"] for point in points]
        accuracy = np.array([100 * point["accuracy"] for point in points])
        bounds = 100 * np.array([point["ci95"] for point in points])
        axes.errorbar(
            at,
            accuracy,
            yerr=np.abs(bounds.T - accuracy),
            fmt="o-",
            color=COLOURS["transfer"],
            ecolor=(COLOURS["transfer"], 0.45),
        )
        axes.set_xscale("log")
        axes.set_xticks(at, [f"{images:.0f}" for images in at])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("training images a class")
        axes.set_ylabel("accuracy, %")
        first, last = points[0], points[-1]
        return to_svg(
            figure,
            "curve",
            f"Learning curve of {shown(label)}: {first['accuracy']:.1%} with "
            f"{first['images_a_class']:.0f} images a class, {last['accuracy']:.1%} with "
            f"{last['images_a_class']:.0f}.",
        )


def training_history(name: str, label: str, history: Sequence[dict[str, float]]) -> str:
    """Plot losses an epoch; epoch 0 is the network before training."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with drawing(name):
        figure = Figure(figsize=(4.8, 2.8))
        axes = figure.subplots()
        series = (("loss", "training", "--"), ("val_loss", "held out of training", "-"))
        for key, told, line in series:
            at = [epoch for epoch, row in enumerate(history) if key in row]
            values = [history[epoch][key] for epoch in at]
            axes.plot(at, values, line, marker=".", color=COLOURS["finetune"], label=told)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("epoch")
        axes.set_ylabel("log loss, nats")
        axes.set_ylim(bottom=0)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        held = [row["val_loss"] for row in history]
        return to_svg(
            figure,
            name,
            f"Training of {shown(label)}: held-out log loss {held[0]:.3f} before training, lowest "
            f"{min(held):.3f} after epoch {int(np.argmin(held))} of {len(held) - 1}.",
        )


def reliability_diagram(contenders: Sequence[Contender], truth: NDArray[np.intp]) -> str:
    """Plot accuracy against confidence, bin by bin, with Wilson's intervals."""
    from matplotlib.figure import Figure

    with drawing("reliability"):
        figure = Figure(figsize=(5.2, 2.9))
        panels = figure.subplots(1, len(contenders), sharey=True, squeeze=False)[0]
        told = []
        for axes, one in zip(panels, contenders, strict=True):
            rows = reliability(truth, one.probabilities)
            confidence = [row["confidence"] for row in rows]
            accuracy = np.array([row["accuracy"] for row in rows])
            bounds = [wilson(round(row["accuracy"] * row["n"]), row["n"]) for row in rows]
            axes.plot([0, 1], [0, 1], color=INK, linewidth=1, alpha=0.5)
            axes.errorbar(
                confidence,
                accuracy,
                yerr=np.abs(np.array(bounds).T - accuracy),
                fmt=MARKERS[one.kind],
                color=COLOURS[one.kind],
                ecolor=(COLOURS[one.kind], 0.45),
                markersize=5,
            )
            axes.set_title(_short(one.name, 26))
            axes.set_xlabel("confidence")
            axes.set_xlim(0, 1.02)
            axes.set_ylim(0, 1.02)
            axes.set_aspect("equal")
            sure = rows[-1]
            told.append(
                f"{shown(one.name)}: of {sure['n']} images with mean confidence "
                f"{sure['confidence']:.1%}, {sure['accuracy']:.1%} right"
            )
        panels[0].set_ylabel("share right")
        return to_svg(figure, "reliability", f"Reliability. {'; '.join(told)}.")


def recall_by_class(
    contenders: Sequence[Contender], truth: NDArray[np.intp], classes: Sequence[str]
) -> str:
    """Plot each class's recall with Wilson's interval, the hardest classes on top."""
    from matplotlib.figure import Figure

    counts = np.bincount(truth, minlength=len(classes))
    hits = np.array(
        [
            np.bincount(truth[one.probabilities.argmax(axis=1) == truth], minlength=len(classes))
            for one in contenders
        ]
    )
    present = np.flatnonzero(counts)
    recalls = hits[:, present] / counts[present]  # (contenders, classes present)
    order = present[np.argsort(recalls.mean(axis=0), kind="stable")][:MOST_CLASSES]
    with drawing("recall"):
        figure = Figure(figsize=(5.2, 0.9 + 0.27 * len(order)))
        axes = figure.subplots()
        for shift, one, right in zip((-0.17, 0.17), contenders, hits, strict=False):
            share = right[order] / counts[order]
            bounds = [wilson(int(right[c]), int(counts[c])) for c in order]
            axes.errorbar(
                100 * share,
                np.arange(len(order)) + shift,
                xerr=100 * np.abs(np.array(bounds).T - share),
                fmt=MARKERS[one.kind],
                color=COLOURS[one.kind],
                ecolor=(COLOURS[one.kind], 0.45),
                markersize=4.5,
                label=_short(one.name, 30),
            )
        labels = [f"{_short(classes[c], 24)} ({counts[c]})" for c in order]
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
                f"{right[worst]} of {counts[worst]} by {shown(one.name)}"
                for one, right in zip(contenders, hits, strict=True)
            )
            + ".",
        )


def feature_map(
    places: NDArray[np.float64],
    method: str,
    truth: NDArray[np.intp],
    right: NDArray[np.bool_],
    classes: Sequence[str],
) -> str:
    """Plot images in two dimensions, a colour a class, mistakes with a ring.

    Parameters
    ----------
    places : ndarray, shape (n, 2)
        From :func:`headstart.classify.compare.report.feature_map.lay_out`.
    method : str
        How they were found, for print.
    truth : ndarray of int, shape (n,)
        Classes.
    right : ndarray of bool, shape (n,)
        Whether the best head labelled each right.
    classes : sequence of str
        Names.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with drawing("map"):
        figure = Figure(figsize=(5.6, 4.6))
        axes = figure.subplots()
        hues = mpl.colormaps["turbo"](np.linspace(0.05, 0.95, len(classes)))
        axes.scatter(
            places[:, 0],
            places[:, 1],
            s=34,
            c=hues[truth],
            edgecolors=[INK if not ok else "none" for ok in right],
            linewidths=1.6,
            gid="points",
        )
        axes.set_xticks([])
        axes.set_yticks([])
        for side in axes.spines.values():
            side.set_visible(False)
        return to_svg(
            figure,
            "map",
            f"Map of the features of {len(truth)} images of {len(classes)} classes by {method}. "
            f"{int((~right).sum())} ringed images are mislabelled by the best head. "
            "Arrow keys go from image to image.",
        )


def _time(seconds: float, _: object = None) -> str:
    if seconds < 300:
        return f"{seconds:g} s"
    return f"{seconds / 60:.3g} min" if seconds < 3600 else f"{seconds / 3600:.3g} h"


def _short(name: str, most: int) -> str:
    printable = shown(name)
    return printable if len(printable) <= most else f"{printable[: most - 1]}…"


def _label_points(figure: Any, axes: Any, approaches: Sequence[dict[str, Any]]) -> None:
    """Name each point where its name covers no other name and no point, if there is such a place."""
    figure.canvas.draw()
    where = [(max(one["seconds"], SHORTEST), 100 * one["accuracy"]) for one in approaches]
    points = axes.transData.transform(where) * 72 / figure.dpi
    lowest, highest = (edge * 72 / figure.dpi for edge in (axes.bbox.x0, axes.bbox.x1))
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in points]
    for one, at, (x, y) in zip(approaches, where, points, strict=True):
        name = _short(one["name"].removeprefix("fine-tuned from "), 34)
        width = 5.4 * len(name)  # points: DejaVu Sans at 8.5 takes some 5.4 a letter
        for dx, dy in LABEL_OFFSETS:
            left = x + dx if dx > 0 else x + dx - width
            box = (left, y + dy, left + width, y + dy + 9)
            within = lowest <= box[0] and box[2] <= highest
            if within and not any(_overlap(box, other) for other in taken):
                break
        taken.append(box)
        axes.annotate(
            name,
            at,
            xytext=(dx, dy),
            textcoords="offset points",
            ha="left" if dx > 0 else "right",
            fontsize=8.5,
        )


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
