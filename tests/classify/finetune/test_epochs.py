"""The training loop on a tiny network: rates a block, resuming, divergence, devices."""

import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest

from fakes import Listening
from headstart.classify.finetune.checkpoint import Position
from headstart.classify.finetune.epochs import (
    CLIP,
    Examples,
    Pace,
    _divergence,
    _Feed,
    predict_logits,
    prepare,
    train,
)
from headstart.classify.network.upper import HEAD, Upper
from headstart.extract.backbone.blocks import Block
from headstart.extract.backbone.loading import load_keras
from headstart.progress import heard_by, silent

PACE = Pace(
    learning_rate=1e-2,
    layer_decay=1.0,
    weight_decay=0.0,
    label_smoothing=0.0,
    epochs=6,
    steps=5,
    seed=0,
)


class Held:
    """Maps in memory, as a stream has them."""

    def __init__(self, maps):
        self.maps = maps
        self.dimension = maps.shape[1]

    def __len__(self):
        return len(self.maps)

    def read(self, positions):
        return self.maps[positions]

    def batches(self, order, size):
        for low in range(0, len(order), size):
            yield order[low : low + size], self.maps[order[low : low + size]]


def network():
    """Two dense layers and a head, always with the same weights."""
    keras = load_keras()
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    lower = keras.layers.Dense(6, activation="relu", name="lower")(inputs)
    middle = keras.layers.Dense(6, activation="relu", name="middle")(lower)
    model = keras.Model(inputs, keras.layers.Dense(2, name=HEAD)(middle))
    return Upper(model, [Block("lower", "x", ("lower",)), Block("middle", "x", ("middle",))])


def examples(noise=0.3):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    maps = (y[:, None] + noise * rng.normal(size=(60, 4))).astype(np.float32)
    stream = Held(maps[:40])
    return Examples(lambda epoch: stream, y[:40], Held(maps[40:]), y[40:])


def run(upper, pace=PACE, position=None, data=None, save=lambda position: None, until=None):
    data = data or examples()
    position = position or Position()
    prepare(upper, pace)
    until = pace.epochs if until is None else until
    with heard_by(Listening()) as heard:
        train(upper, data, pace, position, until, save, silent)
    return position, heard.notes


def test_training_lowers_the_loss_and_each_epoch_is_told():
    position, told = run(network())
    assert position.diverged is None
    assert position.history[-1]["val_loss"] < 0.8 * position.history[0]["val_loss"]
    assert [entry["epoch"] for entry in position.history] == list(range(7))
    assert told[2].startswith("epoch 3/6: loss 0.")


def test_what_the_network_says_of_held_out_images_is_kept_for_each_epoch():
    upper, data = network(), examples()
    position, _ = run(upper, data=data)
    assert len(position.logits) == 7
    np.testing.assert_allclose(position.logits[-1], predict_logits(upper, data.held, 7), rtol=1e-4)


def test_it_stops_after_the_epoch_that_was_chosen_on_the_same_schedule():
    stopped, whole = network(), network()
    kept = {}

    def save(position):
        kept[position.epoch] = position.weights

    run(whole, save=save)
    position, told = run(stopped, until=2, data=replace(examples(), held=None))
    assert [entry["epoch"] for entry in position.history] == [0, 1, 2]
    assert "held out" not in told[0]
    for variable, array in zip(stopped.model.variables, kept[2], strict=True):
        np.testing.assert_allclose(variable, array, rtol=1e-5)


def test_a_resumed_run_ends_like_an_uninterrupted_one():
    kept = {}

    def save(position):
        kept[position.epoch] = replace(
            position, history=list(position.history), logits=list(position.logits)
        )

    whole = network()
    position, _ = run(whole, save=save)
    again = network()
    resumed, _ = run(again, position=kept[3])
    losses = [entry["val_loss"] for entry in position.history]
    assert [entry["val_loss"] for entry in resumed.history] == pytest.approx(losses, rel=1e-5)
    for variable, same in zip(whole.model.variables, again.model.variables, strict=True):
        np.testing.assert_allclose(variable, same, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rate", [10.0, 1e30])
def test_divergence_stops_and_the_start_is_kept(rate):
    upper = network()
    before = upper.values()
    position, _ = run(upper, replace(PACE, learning_rate=rate, epochs=1))
    diverged = position.diverged
    assert diverged.startswith("the loss was ")
    assert diverged.endswith("; guessing has 0.693")
    for name, arrays in upper.values().items():
        for one, other in zip(arrays, before[name], strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), 7.0])
def test_a_loss_that_is_no_number_or_ten_times_that_of_guessing_is_divergence(loss):
    model = network().model
    assert f"the loss was {loss:.3g} here" in _divergence(loss, model, "here")
    assert _divergence(6.9, model, "here") is None


def test_each_block_moves_at_its_own_rate():
    upper = network()
    before = upper.values()
    pace = replace(PACE, layer_decay=0.1, epochs=1, steps=1)  # Adam's first step is its rate
    run(upper, pace)
    step = {
        name: max(
            float(np.abs(new - old).max()) for new, old in zip(now, before[name], strict=True)
        )
        for name, now in upper.values().items()
    }
    assert step[HEAD] == pytest.approx(1e-2, rel=0.01)
    assert step["middle"] == pytest.approx(1e-3, rel=0.01)
    assert step["lower"] == pytest.approx(1e-4, rel=0.01)


def test_weight_decay_shrinks_kernels_alone():
    pace = replace(PACE, epochs=1, steps=1)
    plain, decayed = network(), network()
    start = plain.values()
    for upper, decay in ((plain, 0.0), (decayed, 0.5)):
        run(upper, replace(pace, weight_decay=decay))
    for name, (kernel, bias) in plain.values().items():
        shrunk, same = decayed.values()[name]
        np.testing.assert_allclose(shrunk, kernel - 1e-2 * 0.5 * start[name][0], atol=1e-6)
        np.testing.assert_allclose(same, bias, atol=1e-6)


def test_the_learning_rate_rises_for_an_epoch_and_falls_along_half_a_cosine():
    pace = replace(PACE, learning_rate=1.0, epochs=11, steps=5)
    rates = [pace.rate(step) for step in range(55)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[30] == pytest.approx(0.5)
    assert rates == sorted(rates[:5]) + sorted(rates[5:], reverse=True)
    short = replace(pace, epochs=1, steps=10)
    assert [short.rate(step) for step in (0, 1)] == [0.5, 1.0]
    assert replace(pace, epochs=1, steps=1).rate(0) == 1.0


def test_what_goes_wrong_while_reading_is_told_in_its_own_words():
    class Broken(Held):
        def read(self, positions):
            raise OSError("the disk is gone")

    data = examples()
    broken = Broken(data.held.maps)
    with pytest.raises(OSError, match="the disk is gone"):
        run(network(), data=replace(data, stream=lambda epoch: broken, y=data.y_held))


def test_an_epoch_that_is_over_waits_for_no_thread_of_the_readers():
    """TensorFlow's autotuning holds an iterator back until 10 · 2ⁿ ms have passed."""
    maps = Held(np.zeros((2, 4), dtype=np.float32))
    feed = _Feed(maps, np.zeros(2, dtype=np.intp), [np.arange(2)], classes=2)
    assert feed.dataset().options().autotune.enabled is False


def test_the_fused_step_is_that_of_keras_own_adamw():
    keras = load_keras()
    ours, theirs = network(), network()
    pace = replace(PACE, weight_decay=0.1)
    prepare(ours, pace)
    reference = keras.optimizers.AdamW(0.01, weight_decay=0.1, global_clipnorm=CLIP)
    reference.build(theirs.model.trainable_variables)
    reference.exclude_from_weight_decay(var_names=["bias"])
    ours.model.optimizer.learning_rate = 0.01
    rng = np.random.default_rng(0)
    for _ in range(5):
        gradients = [
            keras.ops.convert_to_tensor(rng.normal(size=variable.shape).astype(np.float32))
            for variable in ours.model.trainable_variables
        ]
        for optimizer, upper in ((ours.model.optimizer, ours), (reference, theirs)):
            optimizer.apply_gradients(zip(gradients, upper.model.trainable_variables, strict=True))
    for stepped, expected in zip(
        ours.model.trainable_variables, theirs.model.trainable_variables, strict=True
    ):
        np.testing.assert_allclose(stepped, expected, rtol=1e-4, atol=1e-6)


def test_two_devices_learn_what_one_does():
    script = """
        import sys
        sys.path[:0] = sys.argv[1:]
        import tensorflow as tf
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        import numpy as np
        import test_epochs as t
        one = t.network()
        alone, _ = t.run(one)
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        assert strategy.num_replicas_in_sync == 2
        with strategy.scope():
            two = t.network()
            t.prepare(two, t.PACE)
        position = t.Position()
        t.train(two, t.examples(), t.PACE, position, 6, lambda p: None, t.silent)
        for a, b in zip(alone.history, position.history, strict=True):
            assert abs(a["val_loss"] - b["val_loss"]) < 3e-3, (a, b)  # batch order of sums
        print("same")
    """
    import pathlib

    here = pathlib.Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(here), str(here.parents[1])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("same\n"), done.stderr
