"""How deep fine-tuning goes: names and shares of a network to the place where it is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import OptionError
from ...extract.backbone.backbones import PIXELS, TOP
from ...extract.backbone.blocks import find_boundary, network_blocks

# Shares of a network's blocks, counted from the top.
SHARES = {"last block": 0.0, "upper third": 1 / 3, "half": 1 / 2}


@dataclass(frozen=True, slots=True)
class Depth:
    """How much of a network moves."""

    name: str  # the lowest block that moves; "all", or "none" for the head alone
    below: str | None  # the layer below it, "pixels" for all; None for the head alone


def find_depth(network: Any, name: str, tapped: Sequence[str] = ()) -> Depth:
    """Return where a network is cut.

    Parameters
    ----------
    network : keras.Model
        A backbone.
    name : str
        A block, a layer that begins a piece, how many blocks from the top, ``"all"``, ``"none"``,
        or a share: ``"last block"``, ``"upper third"``, ``"half"``.
    tapped : sequence of str
        Layers that the head reads: none may lie below the cut.

    Raises
    ------
    OptionError
        If the name is unknown or a tapped layer lies below the boundary.
    """
    if name == "none":
        return Depth("none", None)
    blocks = network_blocks(network)
    if name in SHARES:
        below = blocks[-max(1, int(SHARES[name] * len(blocks)))].below
    else:
        below = PIXELS if name == "all" else find_boundary(network, name)
    begins = {PIXELS: "all"} | {block.below: block.name for block in blocks[1:]}
    depth = Depth(begins.get(below, name), below)
    order = [layer.name for layer in network.layers]
    level = 0 if below == PIXELS else order.index(below)
    low = [layer for layer in tapped if layer != TOP and order.index(layer) <= level]
    if low:
        raise OptionError(
            f"fine-tuning moves the layers above {below}, but {low[0]} lies below: leave "
            "--layer out, or compare heads alone with 'fit head'"
        )
    return depth
