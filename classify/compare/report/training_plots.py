"""Curves of training: accuracy against images, losses against epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....text import shown
from ...fit.learning_curve import PointDocument
from .style import COLOURS
from .svg import drawing, to_svg


def learning_curve(label: str, points: Sequence[PointDocument]) -> str:
    """Plot accuracy with its interval against training images a class."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator

    with drawing("curve"):
        figure = Figure(figsize=(4.8, 2.8))
        axes = figure.subplots()
        sizes = [point["images_a_class"] for point in points]
        accuracy = np.array([100 * point["accuracy"] for point in points])
        bounds = 100 * np.array([point["ci95"] for point in points])
        axes.errorbar(
            sizes,
            accuracy,
            yerr=np.abs(bounds.T - accuracy),
            fmt="o-",
            color=COLOURS["transfer"],
            ecolor=(COLOURS["transfer"], 0.45),
        )
        axes.set_xscale("log")
        axes.set_xticks(sizes, [f"{images:.0f}" for images in sizes])
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


def training_history(name: str, label: str, history: Sequence[dict[str, Any]]) -> str:
    """Plot losses an epoch; epoch 0 is the network before training."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with drawing(name):
        figure = Figure(figsize=(4.8, 2.8))
        axes = figure.subplots()
        series = (("loss", "training", "--"), ("val_loss", "held out of training", "-"))
        for key, whose, line in series:
            epochs = [epoch for epoch, row in enumerate(history) if key in row]
            losses = [history[epoch][key] for epoch in epochs]
            axes.plot(epochs, losses, line, marker=".", color=COLOURS["finetune"], label=whose)
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
