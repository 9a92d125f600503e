"""The training loop: epochs on a stream of boundary maps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...extract.backbone.loading import load_keras, load_tensorflow, without_autotune
from ...progress import Tell, note
from ..network.stream import Stream
from ..network.upper import Upper
from .checkpoint import Position
from .epoch_choice import judge

BATCH = 32  # images at a time, where nothing is learnt
CLIP = 1.0  # norm of all gradients together
DIVERGED = 10.0  # times the loss of guessing
AHEAD = 2  # batches read before they are wanted

Labels = NDArray[np.intp]


@dataclass(frozen=True)
class Pace:
    """How a training moves.

    Parameters
    ----------
    learning_rate : float
        AdamW's, of the head; it rises over the first epoch, or the first fifth of a short
        training, and falls to 0 along half a cosine.
    layer_decay : float
        The learning rate of each block is that of the one above it times this.
    weight_decay : float
        Decoupled, of kernels alone (Loshchilov & Hutter 2019, arXiv:1711.05101).
    label_smoothing : float
        Share of each label spread over all classes, 0 to 1.
    epochs : int
        That the rate falls over.
    steps : int
        Of an epoch, each over as many images, the same for a search and for the last training.
    seed : int
        Orders the images.
    """

    learning_rate: float
    layer_decay: float
    weight_decay: float
    label_smoothing: float
    epochs: int
    steps: int
    seed: int

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, from 0.

        Examples
        --------
        >>> pace = Pace(1.0, 1.0, 0.0, 0.0, epochs=11, steps=2, seed=0)
        >>> [round(pace.rate(step), 2) for step in (0, 1, 2, 12, 21)]
        [0.5, 1.0, 1.0, 0.5, 0.01]
        """
        total = self.epochs * self.steps
        rise = max(1, min(self.steps, total // 5))
        if step < rise:
            return self.learning_rate * (step + 1) / rise
        return self.learning_rate * (1 + math.cos(math.pi * (step - rise) / (total - rise))) / 2


@dataclass(frozen=True)
class Examples:
    """What a training sees.

    Parameters
    ----------
    stream : callable
        Epoch, from 1, to the training images' maps in that epoch's view.
    y : ndarray of int, shape (n,)
        Their class indices.
    held : Stream or None
        Maps of the images that judge each epoch; None in the last training.
    y_held : ndarray of int, shape (m,)
        Their class indices.
    """

    stream: Callable[[int], Stream]
    y: Labels
    held: Stream | None
    y_held: Labels


def prepare(upper: Upper, pace: Pace) -> None:
    """Compile the part that trains, its optimiser ready to be restored."""
    keras = load_keras()
    upper.model.compile(
        _optimizer(upper, pace),
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
    until: int,
    save: Callable[[Position], None],
    tell: Tell,
) -> None:
    """Run epochs from where a training stands; leave the last one's weights in place.

    Parameters
    ----------
    upper : Upper
        Prepared.
    examples : Examples
        Training and held-out images.
    pace : Pace
        How it moves.
    position : Position
        Where the training stands; moved on, epoch by epoch. With ``weights`` it is resumed.
    until : int
        The epoch to stop after.
    save : callable
        Told the position after each epoch.
    tell : callable
        Progress in steps.
    """
    model = upper.model
    if position.weights:
        _set(model.variables, position.weights)
        _set(model.optimizer.variables, position.optimizer)
    elif not position.history:
        position.history.append({"epoch": 0, **_held_out(upper, examples, position)})
    kept = position.weights or _numbers(model.variables)
    while position.epoch < until and position.diverged is None:
        epoch = position.epoch + 1
        begin = time.perf_counter()
        figures, position.diverged = run_epoch(model, examples, pace, epoch, tell)
        if position.diverged is not None:
            _set(model.variables, kept)
            save(position)
            break
        entry = {"epoch": epoch, **figures, **_held_out(upper, examples, position)}
        position.history.append(entry | {"seconds": round(time.perf_counter() - begin, 3)})
        position.epoch = epoch
        kept = position.weights = _numbers(model.variables)
        position.optimizer = _numbers(model.optimizer.variables)
        save(position)
        note(_line(position.history[-1], until))


def predict_logits(upper: Upper, stream: Stream, batch_size: int) -> NDArray[np.float64]:
    """Return logits (n, k), float64, of all rows of a stream, in order."""
    batches = stream.batches(np.arange(len(stream)), batch_size)
    logits: NDArray[np.float64] = np.concatenate([upper.logits(maps) for _, maps in batches])
    return logits


def run_epoch(
    model: Any, examples: Examples, pace: Pace, epoch: int, tell: Tell
) -> tuple[dict[str, float], str | None]:
    """Run one epoch; return its figures, and what went wrong where it diverged."""
    keras = load_keras()
    stream = examples.stream(epoch)
    order = np.random.default_rng([pace.seed, epoch]).permutation(len(stream))
    feed = _Feed(stream, examples.y, np.array_split(order, pace.steps), model.output_shape[-1])
    before, total = (epoch - 1) * pace.steps, pace.epochs * pace.steps
    tell(before, total, f"epoch {epoch}/{pace.epochs}")
    problem: list[str] = []

    def set_rate(step: int, logs: object) -> None:
        del logs
        model.optimizer.learning_rate = pace.rate(before + step)

    def after(step: int, logs: dict[str, float]) -> None:
        loss = float(logs["loss"])
        tell(
            before + step + 1,
            total,
            f"epoch {epoch}/{pace.epochs}, loss {loss:.3f}, accuracy {float(logs['accuracy']):.3f}",
        )
        divergence = _divergence(loss, model, f"at step {step + 1} of epoch {epoch}")
        if divergence is not None:
            problem.append(divergence)
            model.stop_training = True

    callback = keras.callbacks.LambdaCallback(
        on_train_batch_begin=set_rate, on_train_batch_end=after
    )
    try:
        logs = model.fit(
            feed.dataset(),
            initial_epoch=epoch - 1,
            epochs=epoch,
            steps_per_epoch=pace.steps,
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
        return without_autotune(data.prefetch(AHEAD).with_options(options))

    def _read(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        one_hot = np.eye(self._classes, dtype=np.float32)
        try:
            for positions in self._batches:
                yield self._stream.read(positions), one_hot[self._y[positions]]
        except Exception as error:  # whatever it is, it is told as it is
            self.problem = error
            raise


def _held_out(upper: Upper, examples: Examples, position: Position) -> dict[str, float]:
    """Judge the network on the held-out images; keep what it says of them."""
    if examples.held is None:
        return {}
    logits = predict_logits(upper, examples.held, BATCH)
    position.logits.append(logits)
    judged = judge(logits, examples.y_held)
    return {"val_loss": judged.loss, "val_accuracy": judged.accuracy}


def _optimizer(upper: Upper, pace: Pace) -> Any:
    """Return AdamW with a rate for each block, its gradients clipped to a norm of 1."""
    keras, tensorflow = load_keras(), load_tensorflow()

    class BlockwiseAdamW(keras.optimizers.Adam):  # type: ignore[name-defined]
        """AdamW whose learning rate depends on the block.

        The step is TensorFlow's own kernel, one pass over a variable where Keras' takes ten.
        """

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            index = self._get_variable_index(variable)
            rate = learning_rate * scales[index]
            step = tensorflow.cast(self.iterations + 1, tensorflow.float32)
            if pace.weight_decay and decays[index]:
                self.assign_sub(variable, variable * rate * pace.weight_decay)
            tensorflow.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=self._momentums[index].value.handle,
                v=self._velocities[index].value.handle,
                beta1_power=self.beta_1**step,
                beta2_power=self.beta_2**step,
                lr=rate,
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=self.epsilon,
                grad=gradient,
            )

    depths = upper.depths()
    moving = upper.model.trainable_variables
    scales = [pace.layer_decay ** depths[id(variable)] for variable in moving]
    decays = [len(variable.shape) > 1 for variable in moving]  # not biases, nor batch norm
    return BlockwiseAdamW(pace.learning_rate, global_clipnorm=CLIP)


def _numbers(variables: list[Any]) -> list[NDArray[Any]]:
    return [variable.numpy() for variable in variables]


def _set(variables: list[Any], arrays: list[NDArray[Any]]) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _line(entry: dict[str, Any], epochs: int) -> str:
    line = (
        f"epoch {entry['epoch']}/{epochs}: loss {entry['loss']:.3f}, accuracy "
        f"{entry['accuracy']:.3f}"
    )
    if "val_loss" in entry:
        line += f"; held out: loss {entry['val_loss']:.3f}, accuracy {entry['val_accuracy']:.3f}"
    return f"{line}; {entry['seconds']:.1f} s"
