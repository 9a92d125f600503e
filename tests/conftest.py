"""Fixtures: a home of its own for each test, a fake engine that counts, small photographs."""

from __future__ import annotations

import csv
import functools
import shutil
import signal

import pytest
from hypothesis import settings

from browsing import WAITS_MS
from fakes import FakeEngine, Listening, engines_made_by, pretended_network
from headstart import cli
from headstart.cache import statindex
from headstart.extract.engine import choose
from headstart.extract.recipe import Execution, Recipe
from headstart.progress import heard_by
from headstart.stopping import SIGNALS
from pictures import COLOURS, HOSTILE, paint, paint_photographs
from serving import LARGEST, serving

# The same examples in every run: a red build is about the change, not the draw.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")


@pytest.fixture(scope="module")
def browser():
    """The system's Chromium, headless; it asks nobody for anything by itself."""
    from playwright.sync_api import expect, sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium: apt-get install chromium")
    quiet = ["--disable-gpu", "--disable-quic", "--disable-background-networking"]
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", *quiet])
        expect.set_options(timeout=WAITS_MS)
        yield opened
        opened.close()


@pytest.fixture(autouse=True, scope="session")
def _without_openvino():
    """Which engine a test runs on is no matter of time: those of OpenVINO name it."""
    with pytest.MonkeyPatch.context() as patch:
        find = choose._installed
        patch.setattr(choose, "_installed", lambda name: name != "openvino" and find(name))
        yield


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    """No test reads or writes the user's cache."""
    for name in ("XDG_CACHE_HOME", "HEADSTART_CACHE", "KERAS_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


@pytest.fixture
def heeded_signals():
    """Heed signals, here and in programs that are started, though whoever started us ignores them.

    ``nohup`` ignores SIGHUP; a shell without job control, SIGINT for what is in its background.
    """
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        heed = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, heed)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def at_rest(monkeypatch):
    """Let files just written count as at rest, as older ones do."""
    monkeypatch.setattr(statindex, "FINE_TICK_NS", -(10**12))
    monkeypatch.setattr(statindex, "COARSE_TICK_NS", -(10**12))


@pytest.fixture
def fake_engine():
    """Make every engine a fake one; return its class, a fresh one with its counts at zero."""
    make = type("CountingEngine", (FakeEngine,), {"calls": 0, "images": 0})
    with engines_made_by(make):
        yield make


@pytest.fixture
def heard():
    """What is said of progress while the test runs."""
    with heard_by(Listening()) as listening:
        yield listening


@pytest.fixture
def photographs(tmp_path):
    """Ten pictures of each of three colours, JPEG and PNG."""
    return paint_photographs(tmp_path / "photographs")


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Train a head on pictures of three colours with the fake engine, by any recipe.

    Returns a function to the model file and the folder of pictures.
    """
    from headstart.classify.data.table import load_table
    from headstart.classify.fit.fit_head import fit_head, to_model
    from headstart.classify.heads.table import find_head
    from headstart.extract.images.dataset import read_dataset
    from headstart.extract.source import feature_source

    @functools.cache
    def train(**recipe):
        root = tmp_path_factory.mktemp("trained")
        with pytest.MonkeyPatch.context() as patch, engines_made_by(FakeEngine):
            patch.setenv("XDG_CACHE_HOME", str(root / "home"))
            for c, (name, colour) in enumerate(COLOURS.items()):
                for number in range(10):
                    ending = "png" if number % 5 == 0 else "jpg"
                    paint(root / "data" / name / f"{number}.{ending}", colour, 100 * c + number)
            source = feature_source(Recipe(**recipe), Execution(cache=root / "cache"))
            table = load_table(read_dataset(root / "data"), source)
            fitted = fit_head(find_head("logreg"), table, 0)
            to_model(fitted, table, source, {}).save(root / "model.headstart")
        return root / "model.headstart", root / "data"

    return train


@pytest.fixture(scope="session")
def served(trained, tmp_path_factory):
    """A service in a process of its own that takes small uploads only."""
    limits = ("--max-bytes", str(LARGEST), "--timeout", "600")
    with serving(trained()[0], *limits, cache=tmp_path_factory.mktemp("served")) as service:
        yield service


@pytest.fixture(scope="session")
def colour_head(tmp_path_factory):
    """A head fitted on the photographs by the fake engine, a fifth held out: record, file."""
    from headstart.classify.fit.fit_heads import HeadSettings, fit_heads
    from headstart.extract.images.dataset import read_dataset
    from headstart.extract.recipe import Execution
    from headstart.extract.source import feature_source

    root = tmp_path_factory.mktemp("colours")
    with pytest.MonkeyPatch.context() as patch, engines_made_by(FakeEngine):
        patch.setenv("XDG_CACHE_HOME", str(root / "home"))
        run = fit_heads(
            read_dataset(paint_photographs(root / "photographs")),
            feature_source(execution=Execution(cache=root / "cache")),
            HeadSettings(),
            out=root / "m.headstart",
        )
    return run.records[0], root / "m.headstart"


@pytest.fixture(scope="session")
def hostile_manifest(tmp_path_factory):
    """Sixty pictures of three classes with hostile names, some labelled wrong; 18 evaluate."""
    root = tmp_path_factory.mktemp("hostile")
    rows = []
    for c, (label, colour) in enumerate(zip(HOSTILE, COLOURS.values(), strict=True)):
        for number in range(20):
            name = f"\"'><b onload=alert(1)> {c}-{number}.png"
            paint(root / name, colour, seed=1000 * c + number)
            wrong = number % 10 == 3
            split = "train" if number < 14 else "test"
            rows.append([name, HOSTILE[c - 1] if wrong else label, split])
    # Two that every head must get wrong: their labels lie.
    for number, row in enumerate(rows[18:20]):
        row[1] = HOSTILE[1 + number]
    with open(root / "manifest.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["path", "label", "split"], *rows])
    return root / "manifest.csv"


@pytest.fixture(scope="session")
def comparison(hostile_manifest, tmp_path_factory):
    """A whole comparison on the hostile pictures: real heads, the network pretended."""
    from headstart.classify.compare.compare import compare
    from headstart.extract.images.dataset import read_dataset
    from headstart.extract.recipe import Execution
    from headstart.extract.source import feature_source

    root = tmp_path_factory.mktemp("comparison")
    with pytest.MonkeyPatch.context() as patch, engines_made_by(FakeEngine):
        patch.setenv("XDG_CACHE_HOME", str(root / "home"))
        source = feature_source(execution=Execution(cache=root / "cache"))
        return compare(
            read_dataset(hostile_manifest),
            [source],
            ["ridge", "centroid"],
            [pretended_network()],
            command="headstart compare transfer-vs-finetune '<b>'",
        )


@pytest.fixture
def headstart(capsys, monkeypatch, fake_engine):
    """Run a command with the fake engine; return (status, output, errors)."""
    del fake_engine  # it is in place

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["headstart", *map(str, arguments)])
        status = 0
        try:
            cli.main()
        except SystemExit as ended:
            status = ended.code or 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
