"""Where a backbone can be cut in two, and what its blocks are called."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from ...errors import OptionError, unknown
from .backbones import PIXELS, tappable_layers
from .keras_file import numbers
from .loading import load_keras

# A layer's name to its block's, by the naming of keras.applications; the first that matches.
_NAMING = (
    (re.compile(r"conv_(?:pad|dw|pw)_(\d+)"), "conv_dw_{}"),  # MobileNet: begins with the depthwise
    (re.compile(r"(\w*stage_?\d+)_block"), "{}"),  # ConvNeXt
    (re.compile(r"(conv\d+_block\d+)_"), "{}"),  # ResNet, DenseNet
    (re.compile(r"(block_?\d+[a-z]?)_"), "{}"),  # VGG, Xception, MobileNetV2, EfficientNet
    (re.compile(r"(expanded_conv(?:_\d+)?)_"), "{}"),  # MobileNetV3
    (re.compile(r"(mixed\d+)$"), "{}"),  # Inception
)


@dataclass(frozen=True, slots=True)
class Block:
    """Some layers between two places where the network can be cut.

    Parameters
    ----------
    name : str
        What ``--unfreeze`` takes.
    below : str
        The layer that feeds it: the freeze boundary when it is the lowest that
        moves. ``"pixels"`` for the first.
    layers : tuple of str
        Its layers that training can move, from the input on: those with weights
        but for batch norm, which stays as ImageNet left it.
    """

    name: str
    below: str
    layers: tuple[str, ...]

    def extended(self, above: Block) -> Block:
        """Return this block with the layers of the one above it."""
        return replace(self, layers=(*self.layers, *above.layers))


def network_blocks(network: Any) -> list[Block]:
    """Return the blocks of a backbone, from the input on.

    The network is cut wherever one named layer alone feeds all that follows;
    neighbouring pieces with one name are one block.

    Parameters
    ----------
    network : keras.Model
        As :meth:`headstart.extract.backbone.backbones.Backbone.build` returns it.

    Examples
    --------
    >>> from headstart.extract.backbone.backbones import find_backbone
    >>> blocks = network_blocks(find_backbone("vgg16").build())
    >>> [block.name for block in blocks]
    ['block1', 'block2', 'block3', 'block4', 'block5']
    >>> blocks[-1].below
    'block4_pool'
    """
    blocks: list[Block] = []
    for piece in _pieces(network):
        if blocks and blocks[-1].name == piece.name:
            blocks[-1] = blocks[-1].extended(piece)
        else:
            blocks.append(piece)
    return blocks


def find_boundary(network: Any, name: str) -> str:
    """Return the layer below the lowest one that moves.

    Parameters
    ----------
    network : keras.Model
        A backbone.
    name : str
        A block; a layer that begins a piece; or how many blocks, counted from the top.

    Returns
    -------
    str
        A layer that can be tapped, or ``"pixels"``.

    Raises
    ------
    OptionError
        If there is no such block; the message lists those there are.
    """
    blocks = network_blocks(network)
    if name.isascii() and name.isdigit():
        if not 1 <= int(name) <= len(blocks):
            raise OptionError(f"{network.name} has 1 to {len(blocks)} blocks, not {name}")
        return blocks[-int(name)].below
    # A layer may be named like a block's first; the block goes first.
    named = tappable_layers(network)
    below = {p.layers[0]: p.below for p in _pieces(network) if p.layers[0] in named}
    below |= {block.name: block.below for block in blocks}
    if name not in below:
        names = [block.name for block in blocks[::-1]]
        layers = [layer for layer in reversed(below) if layer not in names]
        raise unknown("block", name, ["all", "none", *names, *layers])
    return below[name]


def _pieces(network: Any) -> list[Block]:
    """Return what lies between one cut and the next, each with weights of its own."""
    operations = list(network.operations)
    named = set(tappable_layers(network))
    cuts = [
        position
        for position in _cuts(operations)
        if not position or operations[position].name in named
    ]
    pieces: list[Block] = []
    lower = cuts[0]
    for upper in [*cuts[1:], len(operations) - 1] if cuts[-1] < len(operations) - 1 else cuts[1:]:
        inside = operations[lower + 1 : upper + 1]
        moving = tuple(op.name for op in inside if _moves(op))
        if moving and pieces and _only_rescales(inside):  # a transformer's end is no block
            pieces[-1] = replace(pieces[-1], layers=(*pieces[-1].layers, *moving))
            lower = upper
        elif moving:
            below = PIXELS if not pieces else operations[lower].name
            pieces.append(Block(_block_name(inside), below, moving))
            lower = upper
        elif numbers(operations[upper]) <= numbers(operations[lower]):
            lower = upper  # nothing in between moves: cut where the map is smallest
    return _whole(pieces)


def _whole(pieces: list[Block]) -> list[Block]:
    """Merge a piece into the one below where its block began there already."""
    merged: list[Block] = []
    for piece in pieces:
        begun = {_stem(layer) for layer in merged[-1].layers} - {None} if merged else set()
        if merged and piece.name != merged[-1].name and piece.name in begun:
            merged[-1] = merged[-1].extended(piece)
        else:
            merged.append(piece)
    return merged


def _cuts(operations: list[Any]) -> list[int]:
    """Return the positions through which everything flows."""
    flatten = load_keras().tree.flatten
    made_by = {
        id(out): position for position, op in enumerate(operations) for out in flatten(op.output)
    }
    reaches = list(range(len(operations)))  # the last position that an output feeds
    for position, op in enumerate(operations[1:], 1):
        for tensor in flatten(op.input):
            source = made_by.get(id(tensor), position)
            reaches[source] = max(reaches[source], position)
    cuts, furthest = [], 0
    for position, reach in enumerate(reaches):
        if furthest <= position:
            cuts.append(position)
        furthest = max(furthest, reach)
    return cuts


def _stem(layer: str) -> str | None:
    for pattern, template in _NAMING:
        if match := pattern.match(layer):
            return template.format(match[1])
    return None


def _block_name(inside: list[Any]) -> str:
    """Name a piece after its first named block, else after its first layer that moves."""
    stems = (stem for op in inside if (stem := _stem(op.name)))
    first = next(op.name for op in inside if _moves(op))
    return next(stems, first)


def _only_rescales(inside: list[Any]) -> bool:
    kind = load_keras().layers.LayerNormalization
    return all(isinstance(operation, kind) for operation in inside if _moves(operation))


def _moves(operation: Any) -> bool:
    """Tell whether fine-tuning can move this layer."""
    layers = load_keras().layers
    fixed = (layers.BatchNormalization, layers.Normalization)
    return bool(getattr(operation, "weights", None)) and not isinstance(operation, fixed)
