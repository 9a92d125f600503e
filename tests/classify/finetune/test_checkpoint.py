"""A checkpoint comes back as it was, or not at all."""

import os

import numpy as np
import pytest

from headstart.classify.finetune.checkpoint import Checkpoint, Position, checkpoints
from headstart.errors import CacheError


@pytest.fixture
def checkpoint(tmp_path):
    return Checkpoint.of(tmp_path, {"learning_rate": 1e-5})


def position():
    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, dtype=np.int64)]
    history = [{"epoch": 0, "val_loss": 0.4}, {"epoch": 1, "val_loss": 0.3, "seconds": 2.0}]
    return Position(1, None, history, arrays, arrays[::-1], [array * 2 for array in arrays])


def test_a_position_comes_back_as_it_was(checkpoint):
    checkpoint.save(position())
    kept, expected = checkpoint.load(), position()
    assert (kept.epoch, kept.diverged, kept.history) == (1, None, expected.history)
    assert kept.seconds == 2.0
    for kind in ("logits", "weights", "optimizer"):
        for array, same in zip(getattr(kept, kind), getattr(expected, kind), strict=True):
            np.testing.assert_array_equal(array, same)
            assert array.dtype == same.dtype


def test_of_a_training_that_has_ended_only_what_it_came_to_is_kept(checkpoint):
    checkpoint.save(position().ended())
    kept = checkpoint.load()
    assert (kept.epoch, kept.weights, kept.optimizer) == (1, [], [])
    assert len(kept.logits) == 2


def test_another_training_and_another_search_have_other_files(checkpoint, tmp_path):
    assert Checkpoint.of(tmp_path, {"learning_rate": 1e-4}).path != checkpoint.path
    assert checkpoints(tmp_path, {"seed": 0}) != checkpoints(tmp_path, {"seed": 1})
    assert checkpoint.load() is None


def test_a_kill_while_writing_leaves_the_epoch_before(checkpoint, monkeypatch):
    checkpoint.save(position())

    def killed(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    later = position()
    later.epoch = 2
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(later)
    assert checkpoint.load().epoch == 1


def test_a_damaged_checkpoint_is_told(checkpoint):
    checkpoint.save(position())
    data = bytearray(checkpoint.path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    checkpoint.path.write_bytes(data[:-20])
    with pytest.raises(CacheError, match=r"is damaged .*: remove it, or leave --resume out"):
        checkpoint.load()


def test_a_checkpoint_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "folder").write_text("in the way")
    with pytest.raises(CacheError, match="cannot write the checkpoint"):
        Checkpoint.of(tmp_path / "folder", {}).save(position())
