"""A checkpoint comes back as it was, or not at all."""

import os

import numpy as np
import pytest

from headstart.classify.finetune.checkpoint import Checkpoint, Position
from headstart.errors import CacheError


@pytest.fixture
def checkpoint(tmp_path):
    return Checkpoint.of(tmp_path, {"data": "d", "learning_rate": 1e-5})


def position():
    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, dtype=np.int64)]
    history = [
        {"stage": 0, "epoch": 0, "val_loss": 0.4},
        {"stage": 0, "epoch": 1, "val_loss": 0.3},
        {"stage": 0, "epoch": 2, "val_loss": 0.3},
    ]
    return Position(0, 2, history, arrays, arrays[::-1], [array * 2 for array in arrays])


def test_a_position_comes_back_as_it_was(checkpoint):
    checkpoint.save(position())
    found, expected = checkpoint.load(), position()
    assert (found.stage, found.epoch, found.history) == (0, 2, expected.history)
    for kind in ("weights", "optimizer", "best_weights"):
        for array, other in zip(getattr(found, kind), getattr(expected, kind), strict=True):
            np.testing.assert_array_equal(array, other)
            assert array.dtype == other.dtype


def test_the_best_epoch_is_the_first_of_equals():
    assert position().best(0)["epoch"] == 1


def test_another_run_has_another_file(checkpoint, tmp_path):
    assert Checkpoint.of(tmp_path, {"data": "d", "learning_rate": 1e-4}).path != checkpoint.path
    assert checkpoint.load() is None


def test_a_kill_while_writing_leaves_the_epoch_before(checkpoint, monkeypatch):
    checkpoint.save(position())

    def killed(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    later = position()
    later.epoch = 3
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(later)
    assert checkpoint.load().epoch == 2


def test_a_damaged_checkpoint_is_told(checkpoint):
    checkpoint.save(position())
    data = bytearray(checkpoint.path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    checkpoint.path.write_bytes(data[:-20])
    with pytest.raises(CacheError, match=r"is damaged .*: remove it, or leave --resume out"):
        checkpoint.load()


def test_a_checkpoint_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.raises(CacheError, match="cannot write the checkpoint"):
        Checkpoint.of(tmp_path, {}).save(position())
