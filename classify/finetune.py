"""End-to-end training of the top of the network, from the cached freeze boundary."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from ..errors import OptionError
from ..extract.backbones import BACKBONES, TOP, Backbone, find_backbone, layer_before
from ..extract.features import FeatureSource
from ..extract.loading import load_keras

HELD_OUT_FOLDS = 8  # one of them chooses the number of epochs

Epoch = dict[str, float]
OnEpoch = Callable[[int, int], None]  # epochs done, at most


@dataclass(frozen=True, slots=True)
class FineTuneSettings:
    """How to fine-tune.

    Parameters
    ----------
    learning_rate : float
        Of Adam.
    epochs : int
        At most; the number is chosen on images held out of training.
    patience : int
        Epochs without a better held-out log loss before it stops.
    batch_size : int
        Images a step.
    seed : int
        Orders the images.
    """

    learning_rate: float = 1e-5
    epochs: int = 6
    patience: int = 2
    batch_size: int = 32
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the settings for the record."""
        return asdict(self)


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned network.

    Parameters
    ----------
    network : keras.Model
        Boundary maps (n, b), float32, flattened, to probabilities (n, k).
    history : list of dict
        ``loss``, ``val_loss`` and ``val_accuracy`` an epoch; the first entry is
        the network before training: the frozen head.
    epochs : int
        Epochs whose weights were kept; 0 is the head it started from.
    seconds : float
        Wall time of training.
    trainable_parameters : int
        Numbers that training could move.
    """

    network: Any
    history: list[Epoch]
    epochs: int
    seconds: float
    trainable_parameters: int

    def predict_proba(self, maps: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return probabilities (n, k), rows sum to 1, of boundary maps (n, b)."""
        rough = np.asarray(self.network.predict(maps, batch_size=32, verbose=0), dtype=np.float64)
        probabilities: NDArray[np.float64] = rough / rough.sum(axis=1, keepdims=True)
        return probabilities


def freeze_boundary(source: FeatureSource) -> FeatureSource:
    """Return where the activations under the last block lie: same weights, whole maps.

    Raises
    ------
    OptionError
        If the block is unknown or a tapped layer lies below it.
    """
    backbone = find_backbone(source.spec.backbone)
    network = backbone.build()
    below = layer_before(network, last_block(backbone))
    names = [layer.name for layer in network.layers]
    for layer in source.spec.layers:
        if layer != TOP and layer in names and names.index(layer) <= names.index(below):
            raise OptionError(
                f"fine-tuning moves the layers above {below}, but {layer} lies below: leave "
                "--layer out, or compare heads alone with 'fit head'"
            )
    return source.tapping(below, "none")


def last_block(backbone: Backbone) -> str:
    """Return the first layer that fine-tuning moves.

    Raises
    ------
    OptionError
        If the table of backbones does not say where its last block begins.
    """
    if backbone.last_block is None:
        known = ", ".join(row.name for row in BACKBONES.values() if row.last_block)
        raise OptionError(
            f"fine-tuning does not know the blocks of {backbone.name} yet, only those of {known}"
        )
    return backbone.last_block


def hold_out(
    y: NDArray[np.intp], groups: NDArray[np.intp], seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Carve an eighth out of the training rows, stratified, no group parted."""
    count = int(min(HELD_OUT_FOLDS, max(2, np.bincount(y)[np.unique(y)].min())))
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    train, held_out = next(iter(splitter.split(y, y, groups)))
    return train, held_out


def fine_tune(
    source: FeatureSource,
    boundary: FeatureSource,
    maps: NDArray[np.float32],
    y: NDArray[np.intp],
    held_out: tuple[NDArray[np.float32], NDArray[np.intp]],
    layer: tuple[NDArray[np.float32], NDArray[np.float32]],
    settings: FineTuneSettings,
    on_epoch: OnEpoch = lambda done, total: None,
) -> FineTuned:
    """Train the last block and the head together, starting from the fitted head.

    Linear probe first, then fine-tuning (LP-FT, Kumar et al. 2022,
    arXiv:2202.10054): a random head would first spoil the features. Batch norm
    stays in inference mode. The number of epochs is chosen by log loss on the
    held-out images, epoch 0 (the frozen head) among the candidates.

    Parameters
    ----------
    source : FeatureSource
        The head's features: backbone, weights, tapped layer, pooling.
    boundary : FeatureSource
        From :func:`freeze_boundary`.
    maps : ndarray, shape (n, b), float32
        Boundary activations of the training images.
    y : ndarray of int, shape (n,)
        Class indices.
    held_out : tuple of ndarray
        Maps and class indices that choose the number of epochs. The head in
        ``layer`` must not have seen them.
    layer : tuple of ndarray
        Kernel (d, k) and bias (k,) of the head, from
        :func:`headstart.classify.model.linear_layer`.
    settings : FineTuneSettings
        Learning rate, epochs, batch size, seed.
    on_epoch : callable
        Told ``(epochs done, at most)``.
    """
    keras = load_keras()
    begin = time.perf_counter()
    keras.utils.set_random_seed(settings.seed)
    network = _network_above(source, boundary, layer)
    network.compile(
        keras.optimizers.Adam(settings.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
    )
    loss, accuracy = network.evaluate(*held_out, batch_size=settings.batch_size, verbose=0)
    history: list[Epoch] = [{"val_loss": float(loss), "val_accuracy": float(accuracy)}]
    early = keras.callbacks.EarlyStopping(patience=settings.patience)
    best, best_weights = 0, network.get_weights()

    def keep(epoch: int, logs: dict[str, float]) -> None:
        nonlocal best, best_weights
        history.append({name: float(value) for name, value in logs.items()})
        if history[-1]["val_loss"] < history[best]["val_loss"]:
            best, best_weights = epoch + 1, network.get_weights()
        on_epoch(epoch + 1, settings.epochs)

    network.fit(
        maps,
        y,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        validation_data=held_out,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=keep), early],
        verbose=0,
    )
    network.set_weights(best_weights)
    trainable = sum(int(np.prod(w.shape)) for w in network.trainable_weights)
    return FineTuned(network, history, best, time.perf_counter() - begin, trainable)


def _network_above(
    source: FeatureSource,
    boundary: FeatureSource,
    probe: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> Any:
    """Build boundary maps → last block → pooling → softmax, from its own copy of the weights."""
    from ..extract.engines import pool, tap

    keras = load_keras()
    backbone = find_backbone(source.spec.backbone)
    network = backbone.load(source.weights)
    below = network.get_layer(boundary.spec.layers[0]).output
    taps = [tap(network, name) for name in source.spec.layers]
    upper = keras.Model(below, taps)
    inputs = keras.Input((int(np.prod(below.shape[1:])),))
    for layer in upper.layers:
        # Frozen, batch norm runs in inference mode. A training=False in the call below would not
        # do: inside fit() Keras 3 overrides it, and the ImageNet statistics would drift.
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    tapped = upper(keras.layers.Reshape(below.shape[1:])(inputs))
    tapped = tapped if isinstance(tapped, list) else [tapped]
    pooled = [pool(keras, one, source.spec.pooling) for one in tapped]
    features = keras.ops.concatenate(pooled, axis=-1) if len(pooled) > 1 else pooled[0]
    kernel, bias = probe
    top = keras.layers.Dense(kernel.shape[1], activation="softmax", name="head")
    whole = keras.Model(inputs, top(features))
    top.set_weights([kernel, bias])
    return whole
