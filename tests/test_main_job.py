"""The main job from the command line, as a person does it, on generated pictures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

import headstart

COLOURS = {"blue": (40, 60, 200), "green": (50, 180, 60), "red": (200, 50, 40)}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of 36 JPEGs in 3 classes, and a home of its own."""
    root = tmp_path_factory.mktemp("job")
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        folder = root / "pictures" / name
        folder.mkdir(parents=True)
        for number in range(12):
            noise = rng.integers(-40, 41, (60, 80, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.jpg", quality=95)
    return root


OFFLINE = Path(__file__).with_name("offline")


def environment(place: Path) -> dict[str, str]:
    """Return a home of its own, and a guard that ends any command about to use a network."""
    paths = [str(OFFLINE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "XDG_CACHE_HOME": str(place / "home"),
        "HEADSTART_CACHE": str(place / "cache"),
        "KERAS_HOME": str(place / "keras"),
    }


def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "headstart", *arguments],
        cwd=place,
        env=environment(place),
        capture_output=True,
        text=True,
        check=False,
    )


def document(finished: subprocess.CompletedProcess[str]) -> dict:
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@pytest.fixture(scope="module")
def extracted(place):
    """The first extraction, by a network that is exported for it."""
    return run(place, "extract", "features", "pictures", "--json")


def test_the_whole_job_from_pictures_to_labels(place, extracted):
    first = document(extracted)
    assert (first["images"], first["extracted"], first["failed"]) == (36, 36, [])
    assert first["dimension"] == 1024

    again = document(run(place, "extract", "features", "pictures", "--json"))
    assert (again["extracted"], again["reused"], again["engine"]) == (0, 36, None)

    fitted = document(run(place, "fit", "head", "pictures", "--json", "--out", "m.headstart"))
    assert fitted["evaluation"]["accuracy"] == 1.0
    assert fitted["classes"] == sorted(COLOURS)
    assert fitted["cv"]["folds"] == 5

    told = document(run(place, "predict", "m.headstart", "pictures/red", "--json"))
    assert {p["label"] for p in told["predictions"]} == {"red"}
    assert len(told["predictions"]) == 12

    classifier = headstart.load(place / "m.headstart", cache=place / "cache")
    files = [place / one["path"] for one in told["predictions"]]
    probabilities = classifier.predict_proba(files)
    expected = [one["probability"] for one in told["predictions"]]
    np.testing.assert_allclose(probabilities.max(axis=1), expected, rtol=1e-6)  # another process
    pixels = [np.asarray(Image.open(file)) for file in files]  # nothing of these is cached
    assert set(classifier.predict(pixels)) == {"red"}
    np.testing.assert_allclose(classifier.predict_proba(pixels), probabilities, atol=1e-3)


def test_nothing_but_our_own_lines_reaches_standard_error(extracted):
    ours = [
        line.startswith(("read as: 3 classes", "extracting", "exporting mobilenet"))
        for line in extracted.stderr.splitlines()
    ]
    assert ours, "progress goes to standard error"
    assert all(ours), extracted.stderr


def test_the_comparison_writes_a_page_and_the_contract(place):
    arguments = ["pictures", "--model", "ridge", "--epochs", "1", "--out", "report", "--json"]
    arguments += ["--start", "head", "--learning-rate", "1e-5", "--unfreeze", "1"]
    arguments += ["--batch-norm", "frozen"]
    results = document(run(place, "compare", "transfer-vs-finetune", *arguments))
    assert [a["kind"] for a in results["approaches"]] == ["transfer", "finetune"]
    for key in ("accuracy", "ci95", "macro_f1", "log_loss", "ece", "seconds", "peak_memory_mb"):
        assert key in results["approaches"][0]
    assert results["outcome"] == "untuned", "one rate and one epoch are no search"
    assert results["verdict"].startswith("Fine-tuning was not tuned: no verdict.")
    assert results["made"]["command"].startswith("headstart compare transfer-vs-finetune pictures")
    assert results["verdict"].split(";")[0] in (place / "report" / "index.html").read_text()
    assert json.loads((place / "report" / "results.json").read_text()) == results

    shown = run(place, "compare", "show", "report")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[0].split() == [
        *("approach", "accuracy", "95", "%", "interval", "log", "loss"),
        *("to", "find", "again", "peak", "MB", "trainable"),
    ]
    assert results["verdict"] in shown.stdout
    beside = run(place, "compare", "show", "report", "report")
    assert beside.stdout.splitlines()[1].split()[-2:] == ["+0.0", "1.000"]
    assert document(run(place, "compare", "show", "report", "--json")) == results


def test_a_killed_extraction_goes_on_where_it_was(place):
    # Every batch becomes a segment; the third batch kills the process as the plug would.
    script = f"""
import os, signal
from headstart.extract import pipeline
pipeline.SEGMENT_ROWS = 4
calls = 0
class Engine:
    name = "fake"
    device = "cpu"
    notes, widths = [], (7,)
    def __init__(self, source): pass
    def __call__(self, images):
        global calls
        calls += 1
        if calls == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return images.reshape(len(images), -1)[:, :7].astype("float32")
from pathlib import Path
from headstart.extract.features import ensure_features
from headstart.extract.engine.open_engine import MAKERS
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source
from headstart.extract.images.dataset import read_dataset
MAKERS.update(dict.fromkeys(MAKERS, Engine))
source = feature_source(execution=Execution(
    batch_size=4, workers=1, engine="onnxruntime", cache=Path({str(place / "killed")!r})))
paths = [image.path for image in read_dataset("pictures").images]
store = source.store()
before = len(store)
extraction, _ = ensure_features(paths, source, store)
print(before, extraction.extracted)
"""
    kept = []
    for _ in range(8):
        finished = subprocess.run(
            [sys.executable, "-c", script],
            cwd=place,
            env=environment(place),
            capture_output=True,
            text=True,
            check=False,
        )
        segments = list((place / "killed").rglob("*.h5"))
        rows = 0
        for path in segments:
            with h5py.File(path) as segment:
                rows += len(segment["digest"])
        kept.append(rows)
        if finished.returncode == 0:
            break
        assert finished.returncode == -signal.SIGKILL, finished.stderr
    assert kept == sorted(set(kept)), "each run keeps what the one before had committed"
    assert kept[-1] == 36
    assert not list((place / "killed").rglob("*.tmp"))


def test_help_is_quick_because_it_loads_nothing_heavy(place):
    script = (
        "import sys, headstart\n"
        "from headstart.cli import app\n"
        "from typer.testing import CliRunner\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print([m for m in ('tensorflow', 'keras', 'sklearn', 'h5py', 'matplotlib') if m in sys.modules])"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(place),
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.strip() == "[]"
