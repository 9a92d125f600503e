"""The part of a backbone above a freeze boundary, with the head as its last layer."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...cache.spec import FeatureSpec
from ...extract.backbone.backbones import PIXELS, backbone_of
from ...extract.backbone.blocks import Block, network_blocks
from ...extract.backbone.loading import load_keras, load_tensorflow
from ...extract.engine.network import computing_in, pool, tap
from .batch_norm import with_learning_batch_norm

HEAD = "head"
Arrays = list[NDArray[np.float32]]
T = TypeVar("T")


@dataclass(frozen=True)
class Upper:
    """What training moves, and what it is called."""

    model: Any  # boundary maps (n, d), float32, flattened, to logits (n, k), float32
    blocks: list[Block]  # those above the boundary, from the boundary on; the head comes after them
    # the same boundary maps to a list of what is pooled before the head,
    # one tensor a layer; None where the boundary lies above all layers
    mapper: Any = None

    def logits(self, maps: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return logits (n, k), float64, of one batch of maps (n, d)."""
        logits: NDArray[np.float64] = self._run(maps).numpy().astype(np.float64)
        return logits

    @functools.cached_property
    def _run(self) -> Any:
        # Not predict(): on several GPUs it would want a dataset to share out.
        tensorflow = load_tensorflow()
        maps = tensorflow.TensorSpec((None, self.model.input_shape[-1]), tensorflow.float32)
        return tensorflow.function(
            lambda batch: self.model(batch, training=False), input_signature=[maps]
        )

    def set_head(self, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        """Give the head its kernel (d, k) and bias (k,)."""
        self.model.layers[-1].set_weights([kernel, bias])

    def moving(self) -> dict[str, list[Any]]:
        """Return the variables that training moves, layer by layer, from the boundary on."""
        weights = {}
        for layer in self.model.layers:
            for inner in getattr(layer, "layers", [layer]):
                if inner.trainable_variables:
                    weights[inner.name] = inner.trainable_variables
        return weights

    def depths(self) -> dict[int, int]:
        """Return by a variable's id how many blocks lie above its own; 0 for the head's."""
        block_of = {name: number for number, b in enumerate(self.blocks) for name in b.layers}
        number = 0
        depths: dict[int, int] = {}
        for name, variables in self.moving().items():
            number = block_of.get(name, number)  # batch norm goes with the layer before it
            level = 0 if name == HEAD else len(self.blocks) - number
            depths |= {id(variable): level for variable in variables}
        return depths

    def values(self) -> dict[str, Arrays]:
        """Return the numbers of what training moves, layer by layer."""
        return {
            name: [variable.numpy() for variable in variables]
            for name, variables in self.moving().items()
        }

    def by_block(self, layers: dict[str, list[T]]) -> dict[str, list[T]]:
        """Gather what belongs to layers into blocks, the head's last."""
        gathered = {
            block.name: [layer for name in block.layers for layer in layers.get(name, [])]
            for block in self.blocks
        }
        gathered[HEAD] = layers[HEAD]
        return {name: some for name, some in gathered.items() if some}


class Network:
    """A backbone with a head, of which any upper part can be trained.

    Parts that are built one after the other share their layers: what one has
    learnt, the next starts from.

    Parameters
    ----------
    spec : FeatureSpec
        The head's features: backbone, tapped layers, pooling, precision.
    backbone : keras.Model
        A copy of its own: a layer that two models share shares its ``trainable`` too.
    classes : int
        Width of the head, k.
    batch_norm : str
        Of the part that trains: ``"frozen"`` keeps ImageNet's statistics and scales;
        ``"trained"`` learns them.
    """

    def __init__(
        self, spec: FeatureSpec, backbone: Any, classes: int, batch_norm: str = "frozen"
    ) -> None:
        keras = load_keras()
        self._learns = batch_norm == "trained"
        self._spec = spec
        self._backbone = backbone
        if self._learns:
            with computing_in(spec.precision):
                self._backbone = with_learning_batch_norm(backbone)
        self._head = keras.layers.Dense(classes, name=HEAD, dtype="float32")
        self._head.build((None, self.width(None)))

    def width(self, below: str | None) -> int:
        """Return how many numbers one image takes at a boundary; pooled for None."""
        if below is None:
            taps = [tap(self._backbone, name) for name in self._spec.layers]
            return sum(
                int(pool(load_keras(), tapped_maps, self._spec.pooling).shape[-1])
                for tapped_maps in taps
            )
        if below == PIXELS:
            return int(np.prod(self._backbone.input_shape[1:]))
        return int(np.prod(tap(self._backbone, below).shape[1:]))

    def above(self, below: str | None) -> Upper:
        """Build boundary maps → upper layers → pooling → logits.

        The boundary is a layer, or ``"pixels"``; None for the pooled features.
        """
        with computing_in(self._spec.precision):
            return self._above(below)

    def _above(self, below: str | None) -> Upper:
        keras = load_keras()
        taps = [tap(self._backbone, name) for name in self._spec.layers]
        inputs = keras.Input((self.width(below),), dtype="float32")
        if below is None:
            return Upper(keras.Model(inputs, self._head(inputs)), [])
        if below == PIXELS:
            images = keras.layers.Reshape(self._backbone.input_shape[1:], dtype="float32")(inputs)
            maps = backbone_of(self._spec).preprocess(images)
            upper = keras.Model(self._backbone.inputs, taps)
        else:
            start = tap(self._backbone, below)
            maps = keras.layers.Reshape(start.shape[1:], dtype="float32")(inputs)
            upper = keras.Model(start, taps)
        for layer in upper.layers:
            # Frozen, batch norm runs in inference mode. A training=False in the call below would
            # not do: inside fit() Keras 3 overrides it, and the ImageNet statistics would drift.
            normalises = isinstance(layer, keras.layers.BatchNormalization)
            layer.trainable = self._learns or not normalises
        tapped = upper(maps)
        tapped = tapped if isinstance(tapped, list) else [tapped]
        pooled = [pool(keras, layer_maps, self._spec.pooling) for layer_maps in tapped]
        features = keras.ops.concatenate(pooled, axis=-1) if len(pooled) > 1 else pooled[0]
        names = {layer.name for layer in upper.layers}
        blocks = [b for b in network_blocks(self._backbone) if names.intersection(b.layers)]
        return Upper(keras.Model(inputs, self._head(features)), blocks, keras.Model(inputs, tapped))


def weight_change(before: dict[str, Arrays], after: dict[str, Arrays]) -> dict[str, float]:
    """Return how far each block moved: ‖after − before‖ / ‖before‖ over its weights.

    Examples
    --------
    >>> weight_change({"head": [np.array([3.0, 4.0])]}, {"head": [np.array([3.0, 4.5])]})
    {'head': 0.1}
    """
    change = {}
    for name, arrays in before.items():
        pairs = list(zip(arrays, after[name], strict=True))
        moved = sum(float(np.square(new - old, dtype=np.float64).sum()) for old, new in pairs)
        length = sum(float(np.square(old, dtype=np.float64).sum()) for old, _ in pairs)
        change[name] = float(np.sqrt(moved / max(length, 1e-300)))
    return change
