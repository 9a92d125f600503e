"""Trains candidates: networks that are compiled once, boundaries that are read once."""

from __future__ import annotations

import functools
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...extract.backbone.backbones import PIXELS, backbone_of
from ...extract.backbone.loading import load_tensorflow
from ...extract.decode.decode import decode_upright
from ...extract.engine.network import computing_in
from ...extract.images.read import read_image
from ...extract.source import FeatureSource
from ...progress import stage
from ..data.table import Table
from ..network.arithmetic import seconds_above, seconds_below
from ..network.depths import Depth, find_depth
from ..network.epoch_maps import Augmentation, EpochMaps
from ..network.kept_maps import boundary_source
from ..network.upper import Network, Upper
from .budget import Cost
from .candidates import Candidate
from .checkpoint import Checkpoint, Position
from .epochs import Examples, Pace, prepare, train
from .settings import FineTuneSettings

Rows = NDArray[np.intp]
Linear = tuple[NDArray[np.float32], NDArray[np.float32]]  # kernel (d, k) and bias (k,) of a head

COMPILING, BEGINNING = 8.0, 1.0  # seconds, of the order of: a graph; a training on it
SAMPLED = 100  # images whose sizes are looked at


@dataclass(frozen=True)
class Compiled:
    """A part of a network that can be trained again and again from its first state.

    Parameters
    ----------
    upper : Upper
        Prepared.
    depth : Depth
        Where it is cut.
    source : FeatureSource
        Of the features that its head reads.
    first : list of ndarray
        Values of its variables and of the optimiser's, before any training.
    width : int
        Numbers of a map at the boundary.
    """

    upper: Upper
    depth: Depth
    source: FeatureSource
    first: list[NDArray[Any]]
    width: int

    def restart(self, head: Linear | None, seed: int) -> None:
        """Set everything back; the head as given, or random."""
        model = self.upper.model
        variables = [*model.variables, *model.optimizer.variables]
        for variable, value in zip(variables, self.first, strict=True):
            variable.assign(value)
        kernel, bias = (np.asarray(weight) for weight in model.layers[-1].get_weights())
        if head is None:  # as Keras draws it (Glorot & Bengio 2010)
            limit = np.sqrt(6 / sum(kernel.shape))
            drawn = np.random.default_rng(seed).uniform(-limit, limit, kernel.shape)
            head = drawn.astype(np.float32), np.zeros_like(bias)
        self.upper.set_head(*head)


class Trainer:
    """Trains candidates on some training images of a table.

    Parameters
    ----------
    table : Table
        Images, labels, split.
    source : FeatureSource
        The head's features.
    settings : FineTuneSettings
        What all candidates share.
    folder : Path
        Where trainings are kept until the search is over.
    """

    def __init__(
        self,
        table: Table,
        source: FeatureSource,
        settings: FineTuneSettings,
        folder: Path,
    ) -> None:
        self.table, self.source, self.settings = table, source, settings
        self._folder = folder
        self._compiled: dict[tuple[Hashable, ...], Compiled] = {}
        self._maps: tuple[tuple[Hashable, ...], EpochMaps] | None = None
        self.seconds_before = 0.0  # that epochs took in runs which this one resumes

    @functools.cached_property
    def network(self) -> Any:
        """The backbone's graph, whatever its weights."""
        return backbone_of(self.source.spec).build()

    def depth(self, candidate: Candidate) -> Depth:
        """Return where the network is cut for a candidate.

        Raises
        ------
        OptionError
            If it cannot be.
        """
        return find_depth(self.network, candidate.unfreeze, self.source.spec.layers)

    def cost(self, candidate: Candidate) -> Cost:
        """Return what a candidate takes, by arithmetic."""
        below = self.depth(candidate).below
        count = len(self.table.split.fitting)
        share = 1.0
        if candidate.input_size:
            share = (candidate.input_size / self.source.spec.input_size[0]) ** 2
        views = self._augmentation(candidate).cached(self.settings.level().rungs[-1])
        lower = 0.0 if below in (None, PIXELS) else count * seconds_below(self.network, below)
        epoch = share * count * seconds_above(self.network, below)
        if candidate.augment == "on-the-fly":
            epoch += lower
        once: dict[Hashable, float] = {(below, view): lower for view in views}
        once[self._graph(candidate)] = COMPILING
        return Cost(epoch, BEGINNING, once)

    @functools.cached_property
    def sides(self) -> list[int]:
        """The shorter sides of some training images, in pixels."""
        rows = self.table.split.fitting
        drawn = rows[:: max(1, len(rows) // SAMPLED)]
        limit = self.source.execution.max_pixels
        images = (read_image(self.table.paths[row], limit)[1] for row in drawn)
        return [min(decode_upright(data, 1 << 16, limit).shape[:2]) for data in images]

    def train(
        self,
        candidate: Candidate,
        epochs: int,
        rows: Rows,
        held: Rows,
        head: Linear | None,
        until: int | None = None,
        steps: int | None = None,
    ) -> tuple[Position, Compiled]:
        """Train a candidate from its start, or from where a killed training stood.

        Parameters
        ----------
        candidate : Candidate
            What moves, and how.
        epochs : int
            That the learning rate falls over.
        rows : ndarray of int
            Positions among the training rows: those that move weights.
        held : ndarray of int
            Those that judge each epoch; none in the last training.
        head : tuple of ndarray or None
            Kernel and bias to start from; random when None.
        until : int, optional
            The epoch to stop after; the last when None.
        steps : int, optional
            Of an epoch; as many as ``batch_size`` asks for when None.
        """
        compiled = self.compiled(candidate)
        maps = self.maps(candidate)
        y = self.table.y[self.table.split.fitting]
        pace = self.pace(candidate, epochs, steps or -(-len(rows) // self.settings.batch_size))
        held_out = maps.held_out(held) if len(held) else None
        examples = Examples(maps.training(rows), y[rows], held_out, y[held])
        until = epochs if until is None else until
        named = {"epochs": epochs, "rows": rows.tolist(), "steps": pace.steps, "until": until}
        checkpoint = Checkpoint.of(self._folder, candidate.describe() | named)
        position = (checkpoint.load() if self.settings.resume else None) or Position()
        self.seconds_before += position.seconds
        compiled.restart(head, self.settings.seed)
        tell = stage(f"fine-tuning from {compiled.depth.name}")
        train(compiled.upper, examples, pace, position, until, checkpoint.save, tell)
        if len(held):  # what it learnt, the last training learns again from all images
            position = position.ended()
            checkpoint.save(position)
        return position, compiled

    def pace(self, candidate: Candidate, epochs: int, steps: int) -> Pace:
        """Return how a candidate's training moves."""
        return Pace(
            learning_rate=candidate.learning_rate,
            layer_decay=candidate.layer_decay,
            weight_decay=self.settings.weight_decay,
            label_smoothing=self.settings.label_smoothing,
            epochs=epochs,
            steps=steps,
            seed=self.settings.seed,
        )

    def compiled(self, candidate: Candidate) -> Compiled:
        """Return the network of a candidate, compiled once for all that share its graph."""
        depth, key = self.depth(candidate), self._graph(candidate)
        if key not in self._compiled:
            scratch = candidate.start == "scratch"
            source = self.sized(candidate)
            strategy = _strategy()
            with strategy.scope():
                row = backbone_of(source.spec)
                with computing_in(source.spec.precision):
                    backbone = row.build() if scratch else row.load(source.weights)
                classes = len(self.table.classes)
                network = Network(source.spec, backbone, classes, candidate.batch_norm)
                upper = network.above(depth.below)
                prepare(upper, self.pace(candidate, 1, 1))
            variables = [*upper.model.variables, *upper.model.optimizer.variables]
            first = [variable.numpy() for variable in variables]
            width = network.width(depth.below)
            self._compiled[key] = Compiled(upper, depth, source, first, width)
        return self._compiled[key]

    def maps(self, candidate: Candidate) -> EpochMaps:
        """Return the boundary of a candidate; the last one asked for stays in memory."""
        compiled = self.compiled(candidate)
        key = (compiled.depth.below, candidate.input_size, candidate.augment)
        if self._maps is None or self._maps[0] != key:
            self._maps = None  # let its memory go before the next is read
            maps = EpochMaps(
                boundary_source(compiled.source, compiled.depth.below),
                compiled.width,
                self.table.paths,
                self.table.features.digests,
                self.table.split,
                self._augmentation(candidate),
                self.settings.level().rungs[-1],
                self.settings.limits(),
            )
            self._maps = key, maps
        return self._maps[1]

    def sized(self, candidate: Candidate) -> FeatureSource:
        """Return the source of the features that a candidate's head reads."""
        size = candidate.input_size
        return self.source.sized(size) if size else self.source

    def _graph(self, candidate: Candidate) -> tuple[Hashable, ...]:
        """Return what candidates must have in common to be trained on one compiled network."""
        return (
            self.depth(candidate).below,
            candidate.batch_norm,
            candidate.layer_decay,
            candidate.input_size,
            candidate.start == "scratch",
        )

    def _augmentation(self, candidate: Candidate) -> Augmentation:
        return Augmentation(candidate.augment, self.settings.augment_views)


def _strategy() -> Any:
    """Return all GPUs where there are several, else the one device there is."""
    tensorflow = load_tensorflow()
    if len(tensorflow.config.list_logical_devices("GPU")) > 1:
        return tensorflow.distribute.MirroredStrategy()
    return tensorflow.distribute.get_strategy()
