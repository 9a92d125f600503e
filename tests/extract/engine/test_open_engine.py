"""Engines are made in one place: by a table, with TensorFlow where another cannot."""

import pytest

from fakes import FakeEngine, engines_made_by
from headstart.errors import EngineError
from headstart.extract.engine import open_engine as open_module
from headstart.extract.engine.choose import Plan
from headstart.extract.engine.open_engine import EngineRequest, open_engine
from headstart.extract.source import feature_source

PLAN = Plan("onnxruntime", "cpu", "float32", 4, 2)


@pytest.fixture
def wanted(tmp_path):
    source = feature_source()
    return EngineRequest(source.spec, source.weights, tmp_path)


@pytest.fixture
def refusing():
    """Let ONNX Runtime refuse, and a fake engine be TensorFlow's."""

    def refuse(wanted):
        raise EngineError("mobilenet cannot be exported to ONNX (no)")

    def make(wanted):
        engine = FakeEngine(wanted)
        engine.notes = []
        return engine

    with engines_made_by(make, onnxruntime=refuse):
        yield


def test_the_plan_decides_which_row_makes_it(wanted):
    with engines_made_by(FakeEngine, tensorflow=None):
        assert open_engine(PLAN, wanted).wanted == wanted


def test_tensorflow_stands_in_aloud(wanted, refusing):
    told = open_engine(PLAN, wanted).notes
    assert told == ["mobilenet cannot be exported to ONNX (no); TensorFlow serves instead"]


def test_nothing_stands_in_for_an_engine_that_the_user_named(wanted, refusing):
    with pytest.raises(EngineError, match="cannot be exported"):
        open_engine(PLAN, wanted, fixed=True)


def test_the_wait_for_an_export_is_said_before_it_begins(wanted, heard, monkeypatch):
    monkeypatch.setattr(open_module, "open_kept", lambda *_: FakeEngine(wanted))
    open_engine(PLAN, wanted)
    assert heard.notes == ["exporting mobilenet to ONNX: once, some 10 to 30 seconds"]
