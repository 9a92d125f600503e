"""What fine-tuning moves, stage by stage, from a name or a depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ...errors import OptionError
from ...extract.backbone.backbones import PIXELS, TOP, find_backbone
from ...extract.backbone.blocks import find_boundary, network_blocks
from ...extract.source import FeatureSource


@dataclass(frozen=True, slots=True)
class Depth:
    """One stage of unfreezing.

    Parameters
    ----------
    name : str
        As asked for.
    below : str or None
        The layer below the lowest that moves, ``"pixels"`` for all; None for the head alone.
    """

    name: str
    below: str | None


def find_depths(source: FeatureSource, unfreeze: Sequence[str]) -> list[Depth]:
    """Return the stages of unfreezing; the last block alone when nothing is named.

    Parameters
    ----------
    source : FeatureSource
        Of the head's features.
    unfreeze : sequence of str
        See :class:`headstart.classify.finetune.finetune.FineTuneSettings`.

    Raises
    ------
    OptionError
        If a name is unknown, a tapped layer lies below the boundary, or a later stage does
        not go deeper than the one before.
    """
    network = find_backbone(source.spec.backbone).build()
    order = [layer.name for layer in network.layers]
    wanted = list(unfreeze) or [network_blocks(network)[-1].name]
    depths = [Depth(name, _below(network, name)) for name in wanted]
    levels = []
    for depth in depths:
        level = len(order) if depth.below is None else _level(order, depth.below)
        low = [name for name in source.spec.layers if name != TOP and order.index(name) <= level]
        if low and depth.below is not None:
            raise OptionError(
                f"fine-tuning moves the layers above {depth.below}, but {low[0]} lies below: leave "
                "--layer out, or compare heads alone with 'fit head'"
            )
        levels.append(level)
    if any(later >= earlier for earlier, later in pairwise(levels)):
        raise OptionError(
            f"--unfreeze {' --unfreeze '.join(wanted)}: each stage must go deeper than the one "
            "before, so name the uppermost first"
        )
    return depths


def _below(network: Any, name: str) -> str | None:
    fixed = {"all": PIXELS, "none": None}
    return fixed[name] if name in fixed else find_boundary(network, name)


def _level(order: list[str], below: str) -> int:
    return 0 if below == PIXELS else order.index(below)
