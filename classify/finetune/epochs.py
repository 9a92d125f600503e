"""The training loop: epochs on a stream of boundary maps, the best weights kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...extract.backbone.loading import load_keras, load_tensorflow
from ...progress import Tell, note
from ..network.kept_maps import Stream
from ..network.upper import Upper
from .checkpoint import Position

DIVERGED = 10.0  # times the loss of guessing
AHEAD = 2  # batches read before they are wanted

Labels = NDArray[np.intp]


@dataclass(frozen=True)
class Pace:
    """How a stage of training moves.

    Parameters
    ----------
    learning_rate : float
        Adam's, of the head; it falls to 0 along half a cosine over all epochs.
    layer_decay : float
        The learning rate of each block is that of the one above it times this.
    weight_decay : float
        Decoupled, of kernels alone (Loshchilov & Hutter 2019, arXiv:1711.05101).
    label_smoothing : float
        Share of each label spread over all classes, 0 to 1.
    epochs : int
        At most.
    patience : int
        Epochs without a lower held-out log loss before it stops.
    batch_size : int
        Images a step, at most: an epoch's steps are of equal size.
    seed : int
        Orders the images.
    """

    learning_rate: float
    layer_decay: float
    weight_decay: float
    label_smoothing: float
    epochs: int
    patience: int
    batch_size: int
    seed: int


@dataclass(frozen=True)
class Examples:
    """What a stage trains on.

    Parameters
    ----------
    stream : callable
        Epoch, from 1, to the training images' maps in that epoch's view.
    y : ndarray of int, shape (n,)
        Their class indices.
    held : Stream
        Maps of the images that choose the number of epochs.
    y_held : ndarray of int, shape (m,)
        Their class indices.
    """

    stream: Callable[[int], Stream]
    y: Labels
    held: Stream
    y_held: Labels


def prepare(upper: Upper, pace: Pace, images: int) -> None:
    """Compile the part that trains, its optimiser ready to be restored.

    Parameters
    ----------
    upper : Upper
        From :meth:`headstart.classify.network.upper.Network.above`.
    pace : Pace
        How it moves.
    images : int
        Training images: with the batch size, the steps of an epoch.
    """
    keras = load_keras()
    steps = math.ceil(images / pace.batch_size)
    upper.model.compile(
        _optimizer(upper, pace, steps),
        keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=pace.label_smoothing
        ),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    upper.model.optimizer.build(upper.model.trainable_variables)


def train(
    upper: Upper,
    examples: Examples,
    pace: Pace,
    position: Position,
    save: Callable[[Position], None],
    tell: Tell,
) -> str | None:
    """Run the epochs of one stage, from where it stands; leave the best weights in place.

    The number of epochs is chosen by log loss on the held-out images, epoch 0
    among the candidates: training can be refused, never forced.

    Parameters
    ----------
    upper : Upper
        Prepared.
    examples : Examples
        Training and held-out images.
    pace : Pace
        As for :func:`prepare`.
    position : Position
        Where the run stands; moved on, epoch by epoch. With ``weights`` it is
        resumed, else this stage begins.
    save : callable
        Told the position after each epoch.
    tell : callable
        Progress in steps.

    Returns
    -------
    str or None
        What went wrong, where training diverged.
    """
    model, stage = upper.model, position.stage
    if position.weights:
        _set(model.variables, position.weights)
        _set(model.optimizer.variables, position.optimizer)
    else:
        start = {"stage": stage, "epoch": 0, **_held_out(upper, examples, pace)}
        position.history.append(start)
        position.best_weights = _numbers(model.variables)
    diverged = None
    while (
        diverged is None
        and position.epoch < pace.epochs
        and position.epoch - position.best(stage)["epoch"] < pace.patience
    ):
        epoch = position.epoch + 1
        begin = time.perf_counter()
        figures, diverged = run_epoch(model, examples, pace, epoch, stage, tell)
        if diverged is None:
            figures |= _held_out(upper, examples, pace)
            diverged = _divergence(figures["val_loss"], model, f"held out, after epoch {epoch}")
        if diverged is None:
            seconds = round(time.perf_counter() - begin, 3)
            entry = {"stage": stage, "epoch": epoch, **figures, "seconds": seconds}
            position.history.append(entry)
            position.epoch = epoch
            position.weights = _numbers(model.variables)
            position.optimizer = _numbers(model.optimizer.variables)
            if position.best(stage) is entry:
                position.best_weights = position.weights
            save(position)
            note(_line(entry, pace))
    _set(model.variables, position.best_weights)
    return diverged


def predict_logits(upper: Upper, stream: Stream, batch_size: int) -> NDArray[np.float64]:
    """Return logits (n, k), float64, of all rows of a stream, in order."""
    batches = stream.batches(np.arange(len(stream)), batch_size)
    logits: NDArray[np.float64] = np.concatenate([upper.logits(maps) for _, maps in batches])
    return logits


def run_epoch(
    model: Any, examples: Examples, pace: Pace, epoch: int, stage: int, tell: Tell
) -> tuple[dict[str, float], str | None]:
    """Run one epoch; return its figures, and what went wrong where it diverged."""
    keras = load_keras()
    stream = examples.stream(epoch)
    classes = model.output_shape[-1]
    order = np.random.default_rng([pace.seed, stage, epoch]).permutation(len(stream))
    steps = math.ceil(len(order) / pace.batch_size)
    feed = _Feed(stream, examples.y, np.array_split(order, steps), classes)
    before, total = (epoch - 1) * steps, pace.epochs * steps
    tell(before, total, f"epoch {epoch}/{pace.epochs}")
    problem: list[str] = []

    def after(step: int, logs: dict[str, float]) -> None:
        loss = float(logs["loss"])
        tell(
            before + step + 1,
            total,
            f"epoch {epoch}/{pace.epochs}, loss {loss:.3f}, accuracy {float(logs['accuracy']):.3f}",
        )
        found = _divergence(loss, model, f"at step {step + 1} of epoch {epoch}")
        if found is not None:
            problem.append(found)
            model.stop_training = True

    callback = keras.callbacks.LambdaCallback(on_train_batch_end=after)
    try:
        logs = model.fit(
            feed.dataset(),
            initial_epoch=epoch - 1,
            epochs=epoch,
            steps_per_epoch=steps,
            shuffle=False,  # done here, so that a resumed run sees the same order
            callbacks=[callback],
            verbose=0,
        ).history
    except load_tensorflow().errors.OpError:
        if feed.problem is not None:  # TensorFlow's own words would hide the reader's
            raise feed.problem from None
        raise
    figures = {name: float(values[-1]) for name, values in logs.items()}
    return figures, problem[0] if problem else None


def _divergence(loss: float, model: Any, where: str) -> str | None:
    """Return a line when a loss is far worse than that of guessing, or no number."""
    guessing = math.log(model.output_shape[-1])
    if loss < DIVERGED * guessing:  # NaN is not
        return None
    return f"the loss was {loss:.3g} {where}; guessing has {guessing:.3g}"


class _Feed:
    """Batches of maps and one-hot labels for Keras, read ahead of it in a thread."""

    def __init__(
        self, stream: Stream, y: Labels, batches: list[NDArray[np.intp]], classes: int
    ) -> None:
        self._stream = stream
        self._y = y
        self._batches = batches
        self._classes = classes
        self.problem: Exception | None = None

    def dataset(self) -> Any:
        """Return the ``tf.data.Dataset`` of (maps (b, d), labels (b, k)), float32."""
        tensorflow = load_tensorflow()
        signature = (
            tensorflow.TensorSpec((None, self._stream.dimension), tensorflow.float32),
            tensorflow.TensorSpec((None, self._classes), tensorflow.float32),
        )
        data = tensorflow.data.Dataset.from_generator(self._read, output_signature=signature)
        options = tensorflow.data.Options()
        # One process feeds all devices: each takes its part of a batch, not of a file.
        options.experimental_distribute.auto_shard_policy = (
            tensorflow.data.experimental.AutoShardPolicy.OFF
        )
        return data.prefetch(AHEAD).with_options(options)

    def _read(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        one_hot = np.eye(self._classes, dtype=np.float32)
        try:
            for positions in self._batches:
                yield self._stream.read(positions), one_hot[self._y[positions]]
        except Exception as error:  # whatever it is, it is told as it is
            self.problem = error
            raise


def _held_out(upper: Upper, examples: Examples, pace: Pace) -> dict[str, float]:
    """Return log loss and accuracy on the held-out images."""
    from scipy.special import logsumexp

    logits = predict_logits(upper, examples.held, pace.batch_size)
    losses = logsumexp(logits, axis=1) - logits[np.arange(len(logits)), examples.y_held]
    right = logits.argmax(axis=1) == examples.y_held
    return {"val_loss": float(losses.mean()), "val_accuracy": float(right.mean())}


def _optimizer(upper: Upper, pace: Pace, steps: int) -> Any:
    """Return Adam with a rate for each block, along half a cosine, and decoupled weight decay."""
    keras = load_keras()

    class BlockwiseAdam(keras.optimizers.Adam):  # type: ignore[name-defined]
        """Adam whose learning rate depends on the block."""

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            at = self._get_variable_index(variable)
            rate = keras.ops.cast(learning_rate, variable.dtype) * scales[at]
            if pace.weight_decay and decays[at]:
                self.assign_sub(variable, variable * rate * pace.weight_decay)
            super().update_step(gradient, variable, rate)

    depth = {
        id(variable): number
        for number, variables in enumerate(reversed(upper.by_block(upper.moving()).values()))
        for variable in variables
    }
    moving = upper.model.trainable_variables
    # Batch norm, where it learns at all, belongs to no block.
    scales = [pace.layer_decay ** depth.get(id(variable), 0) for variable in moving]
    decays = [len(variable.shape) > 1 for variable in moving]  # not biases
    return BlockwiseAdam(
        keras.optimizers.schedules.CosineDecay(pace.learning_rate, pace.epochs * steps)
    )


def _numbers(variables: list[Any]) -> list[NDArray[Any]]:
    return [variable.numpy() for variable in variables]


def _set(variables: list[Any], arrays: list[NDArray[Any]]) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _line(entry: dict[str, Any], pace: Pace) -> str:
    return (
        f"epoch {entry['epoch']}/{pace.epochs}: loss {entry['loss']:.3f}, accuracy "
        f"{entry['accuracy']:.3f}; held out: loss {entry['val_loss']:.3f}, accuracy "
        f"{entry['val_accuracy']:.3f}; {entry['seconds']:.1f} s"
    )
