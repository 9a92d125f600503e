"""Which rows of the table a network, its images and a budget can take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import OptionError
from ...extract.backbone.backbones import PIXELS, backbone_of
from ...extract.source import FeatureSource
from ..network.batch_norm import normalises
from ..network.depths import find_depth
from .budget import seconds_ahead
from .candidates import Candidate, candidates_for
from .settings import FineTuneSettings
from .trainer import Trainer

SMALLER = (128, 96)  # sides in pixels that whole networks are trained at where others cost too much
SHRUNK = 0.9  # of an image's side: less would lose what it shows


def check_depths(source: FeatureSource, settings: FineTuneSettings) -> None:
    """Make sure that the depths that were named can be: before anything is extracted.

    Raises
    ------
    OptionError
        If one is unknown, or a tapped layer lies below all that were named; if the network only
        runs.
    """
    if source.spec.precision == "int8":
        raise OptionError(
            "--precision int8: a network in 8 bits only runs, it cannot be trained: leave it out"
        )
    network = backbone_of(source.spec).build()
    for name in settings.unfreeze or ("last block",):
        find_depth(network, name, source.spec.layers)


def find_candidates(trainer: Trainer) -> list[Candidate]:
    """Return the rows of the table that this network and these images can take.

    A whole network is trained at the images' own size where that is smaller than the
    network's: pixels that were made up teach nothing.
    """
    settings, named = trainer.settings, trainer.settings.named()
    rows = candidates_for(named, normalised=normalises(trainer.network))
    candidates: dict[tuple[Any, ...], Candidate] = {}
    for row in rows:
        try:
            depth = trainer.depth(row)
        except OptionError:
            if settings.unfreeze:
                raise
            continue  # the head reads a layer below: this depth is none of the search's
        size = 0
        if depth.below == PIXELS and row.start != "head":
            size = _size(trainer)
        candidate = replace(row, unfreeze=depth.name, input_size=size)
        candidates.setdefault((depth.below, replace(candidate, unfreeze="")), candidate)
    if not candidates:
        raise OptionError(
            "fine-tuning moves what lies above every tapped layer, which here is nothing: leave "
            "--layer out"
        )
    return list(candidates.values())


def at_each_size(row: Candidate, trainer: Trainer) -> list[Candidate]:
    """Return a row at each size that its network may be trained at, the largest first.

    Only whole networks with a head of their own are free to choose; below a cut, maps are of
    the size of the features.
    """
    spec = trainer.source.spec
    named = trainer.source.recipe.input_size is not None
    if row.unfreeze != "all" or row.start == "head" or named or not backbone_of(spec).sizes:
        return [row]
    own = row.input_size or spec.input_size[0]
    return [row, *(replace(row, input_size=side) for side in SMALLER if side < own)]


def affordable(
    row: Candidate,
    first: Sequence[Candidate],
    trainer: Trainer,
    rungs: Sequence[int],
    seconds: float,
) -> Candidate:
    """Return a whole network at the largest size that the budget bears beside the first rows."""
    folds = trainer.settings.folds
    for candidate in at_each_size(row, trainer):
        costs = [trainer.cost(row) for row in (*first, candidate)]
        if seconds_ahead(costs, rungs, folds) <= seconds:
            return candidate
    return row


def _size(trainer: Trainer) -> int:
    """Return the smallest input size that hardly shrinks half of the images; 0: the features'."""
    own = trainer.source.spec.input_size[0]
    if trainer.source.recipe.input_size is not None:
        return 0
    sides = trainer.sides
    fitting = [
        s
        for s in backbone_of(trainer.source.spec).sizes
        if s >= max(SMALLER[-1], SHRUNK * np.median(sides))
    ]
    return min(fitting, default=own) if min(fitting, default=own) < own else 0
