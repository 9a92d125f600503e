"""An experiment tracker gets a run's options, figures and report, after they were printed."""

import contextlib
import json
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

import headstart as library
from headstart.api.tracking import find_tracker
from headstart.errors import HeadstartError, OptionError


@pytest.fixture
def mlflow(monkeypatch):
    """A module of MLflow's name that keeps what it is told."""
    module, kept = ModuleType("mlflow"), {"text": {}}
    module.__spec__ = ModuleSpec("mlflow", None)
    module.set_tracking_uri = lambda uri: kept.update(uri=uri)
    module.start_run = lambda **words: contextlib.nullcontext(kept.update(run=words))
    module.log_params = lambda told: kept.update(params=dict(told))
    module.log_metrics = lambda figures: kept.update(metrics=dict(figures))
    module.log_text = lambda text, name: kept["text"].update({name: text})
    monkeypatch.setitem(sys.modules, "mlflow", module)
    module.kept = kept
    return module


def test_mlflow_gets_options_figures_and_the_report(headstart, photographs, mlflow):
    heads = ("--model", "ridge", "--model", "centroid", "--seed", 3, "--pooling", "max")
    status, out, err = headstart(
        "fit", "head", photographs, *heads, "--json", "--track", "mlflow:http://127.0.0.1:5000"
    )
    assert status == 0, err
    kept, told = mlflow.kept, json.loads(out)
    assert kept["uri"] == "http://127.0.0.1:5000"
    assert kept["params"] | {"seed": "3", "pooling": "max", "rule": "best"} == kept["params"]
    for head in told["heads"]:
        assert (
            kept["metrics"][f"{head['model']}/evaluation_accuracy"]
            == (head["evaluation"]["accuracy"])
        )
    assert json.loads(kept["text"]["results.json"]) == told
    assert "<table>" in kept["text"]["report.html"]


def test_a_comparison_is_kept_with_its_page(comparison, mlflow):
    from headstart.api.compare import Compared

    Compared(comparison, None).track("mlflow")
    assert comparison.results["verdict"].split(":")[0] in mlflow.kept["text"]["report.html"]
    assert len([name for name in mlflow.kept["metrics"] if name.endswith("/accuracy")]) == 3


def test_mlflow_itself_takes_it(headstart, photographs, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="headstart[mlflow] is not installed")
    del headstart
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # the extra has no database
    library.fit_head(photographs, "ridge").track(f"mlflow:{(tmp_path / 'runs').as_uri()}")
    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert run.data.metrics["ridge/evaluation_accuracy"] == 1.0


def test_tensorboard_reads_figures_and_finds_the_report_beside_them(
    headstart, photographs, tmp_path
):
    pytest.importorskip("tensorboard", reason="headstart[tensorboard] is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    place = tmp_path / "runs"
    arguments = ("fit", "head", photographs, "--model", "ridge", "--track", f"tensorboard:{place}")
    status, _, err = headstart(*arguments)
    assert status == 0, err
    (run,) = place.iterdir()
    assert "<table>" in (run / "report.html").read_text(encoding="utf-8")
    read = EventAccumulator(str(run)).Reload()
    assert "ridge/evaluation_accuracy" in read.Tags()["tensors"]


def test_an_unknown_tracker_and_one_that_is_not_installed_are_refused_before_anything_is_read(
    headstart, photographs, monkeypatch
):
    status, out, err = headstart("fit", "head", photographs, "--track", "wandb")
    assert (status, out) == (1, "")
    assert "unknown tracker 'wandb'; valid: mlflow, tensorboard" in err
    monkeypatch.setattr("headstart.api.tracking.find_spec", lambda _: None)
    with pytest.raises(OptionError, match=r"pip install 'headstart\[mlflow\]'"):
        find_tracker("mlflow")


def test_a_tracker_that_refuses_is_told_in_a_line_after_the_result(headstart, photographs, mlflow):
    def refuse(_):
        raise ConnectionError("no route to host\nand more")

    mlflow.log_params = refuse
    status, out, err = headstart(
        "fit", "head", photographs, "--model", "ridge", "--track", "mlflow"
    )
    assert status == HeadstartError.status
    assert "ridge" in out
    assert err.splitlines()[-1] == "error: cannot track with mlflow: no route to host"
