"""Engines that compute the same are timed against each other once, and the winner is remembered."""

import json
import threading
import types

import numpy as np
import pytest

from headstart.errors import EngineError
from headstart.extract.engine import quickest as module
from headstart.extract.engine.quickest import quickest

BATCH = np.zeros((2, 4, 4, 3), np.uint8)


class Clock:
    """Stands still but for the engines that are called."""

    def __init__(self):
        self.now, self.lock = 0.0, threading.Lock()

    def advance(self, seconds):
        with self.lock:
            self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    fake = types.SimpleNamespace(perf_counter=lambda: clock.now)
    monkeypatch.setattr(module, "time", fake)
    monkeypatch.setattr(Timed, "clock", clock, raising=False)
    return clock


class Timed:
    """Takes so many seconds a call."""

    def __init__(self, seconds):
        self.seconds, self.notes = seconds, []

    def __call__(self, images):
        self.clock.advance(self.seconds)

    def make(self):
        return self


def refused():
    raise EngineError("openvino cannot")


@pytest.fixture
def choose(tmp_path):
    """Choose among makers by name, on one machine."""

    def run(machine="here", **makers):
        return quickest(makers, BATCH, 2, tmp_path / "speeds.json", machine)

    return run


def test_the_faster_engine_serves_and_is_remembered(choose, tmp_path):
    slow, fast = Timed(0.05), Timed(0.001)
    assert choose(onnxruntime=slow.make, openvino=fast.make) is fast
    assert choose(onnxruntime=refused, openvino=fast.make) is fast  # it is not even made again
    speeds = json.loads((tmp_path / "speeds.json").read_text())["here"]
    assert speeds["openvino"] > speeds["onnxruntime"] > 0


def test_the_first_stays_unless_another_is_clearly_faster(choose):
    assert choose(a=(first := Timed(0.02)).make, b=Timed(0.019).make) is first


def test_another_machine_is_timed_anew(choose):
    slow, fast = Timed(0.02), Timed(0.001)
    choose(onnxruntime=slow.make, openvino=fast.make)
    slow.seconds, fast.seconds = fast.seconds, slow.seconds
    assert choose("there", onnxruntime=slow.make, openvino=fast.make) is slow
    assert choose(onnxruntime=slow.make, openvino=fast.make) is fast


def test_an_engine_that_cannot_is_told_and_not_tried_again(choose):
    first = Timed(0.001)
    assert choose(onnxruntime=first.make, openvino=refused) is first
    assert first.notes == ["openvino cannot; onnxruntime serves instead"]
    assert choose(onnxruntime=first.make, openvino=refused).notes == first.notes
    with pytest.raises(EngineError):
        choose("there", onnxruntime=refused, openvino=first.make)


def test_a_damaged_record_is_made_anew_and_none_is_no_hindrance(choose, tmp_path):
    (tmp_path / "speeds.json").write_text("{torn")
    fast = Timed(0.001)
    assert choose(onnxruntime=Timed(0.02).make, openvino=fast.make) is fast
    nowhere = tmp_path / "speeds.json" / "in-a-file"
    assert quickest({"a": fast.make, "b": Timed(0.02).make}, BATCH, 1, nowhere, "here") is fast
