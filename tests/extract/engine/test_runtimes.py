"""OpenVINO runs the kept networks, proves itself at each start and asks nobody for anything."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from headstart.errors import EngineError
from headstart.extract.backbone.preprocessing import Declared
from headstart.extract.engine.agreement import probe_images, relative_error
from headstart.extract.engine.choose import this_machine
from headstart.extract.engine.kept import FOLDER, export, kept_network
from headstart.extract.engine.runtimes import OnnxEngine, OpenVinoEngine
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from networks import tiny_onnx

DECLARED = Declared(mean="0.5", std="0.25", scale="1/255", channels="bgr")


@pytest.fixture
def tiny(tmp_path):
    """Return a small network's source, and its kept network; with a fixed batch perhaps."""

    def make(**options):
        path = tiny_onnx(tmp_path / "tiny.onnx", **options)
        recipe = Recipe(str(path), declared=DECLARED)
        source = feature_source(recipe, Execution(cache=tmp_path / "cache"))
        return source, export(source.spec, source.weights, source.cache)

    return make


@pytest.mark.parametrize("batch", ["n", 2])
def test_features_are_those_of_onnx_runtime_from_any_thread(tiny, batch):
    source, path = tiny(batch=batch)
    ours, theirs = (make(path, source.spec) for make in (OpenVinoEngine, OnnxEngine))
    images = [probe_images((32, 32), count) for count in (1, 2, 3, 5) * 4]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ours, images))
    assert ours.widths == theirs.widths
    for batch_of_ours, pixels in zip(found, images, strict=True):
        assert relative_error(batch_of_ours, theirs(pixels)) < 1e-5


def test_a_graph_that_computes_something_else_is_refused(tiny, tmp_path):
    source, path = tiny()
    with pytest.raises(EngineError, match="computes other features"):
        OpenVinoEngine(path, replace(source.spec, pooling="max"))
    other = tmp_path / f"other.{path.name.split('.')[1]}.onnx"
    other.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(EngineError, match="is damaged"):
        OpenVinoEngine(other, source.spec)


def test_what_it_cannot_read_is_one_line(tmp_path):
    (tmp_path / "torn.onnx").write_bytes(b"torn")
    with pytest.raises(EngineError, match=r"OpenVINO cannot load .*torn\.onnx") as raised:
        OpenVinoEngine._open(object.__new__(OpenVinoEngine), tmp_path / "torn.onnx", "float32")
    assert "\n" not in str(raised.value)


@pytest.mark.skipif(this_machine().bfloat16, reason="this processor has bfloat16")
def test_a_processor_without_bfloat16_says_so_instead_of_computing_float32(tiny):
    _, path = tiny()
    with pytest.raises(EngineError, match="in f32 on this processor, not in bf16"):
        OpenVinoEngine._open(object.__new__(OpenVinoEngine), path, "bfloat16")


def test_bfloat16_is_computed_of_the_network_that_float32_keeps(tiny):
    source, path = tiny()
    reduced = replace(source.spec, precision="bfloat16")
    assert kept_network(reduced, source.cache) == path
    assert export(reduced, source.weights, source.cache) == path


def test_the_one_that_is_faster_here_serves(tiny):
    source, _ = tiny()
    source = replace(source, plan=replace(source.plan, rivals=("openvino",)))
    assert source.engine().name in ("onnxruntime", "openvino")
    assert (source.cache / FOLDER / "speeds.json").is_file()


def test_no_connection_is_attempted(tiny):
    source, path = tiny()
    script = (
        "import sys\n"
        "asked = []\n"
        "sys.addaudithook(lambda event, given: asked.append((event, given))\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.sendto') else None)\n"
        "from pathlib import Path\n"
        "from headstart.cache.spec import FeatureSpec\n"
        "from headstart.extract.engine.runtimes import OpenVinoEngine\n"
        f"spec = FeatureSpec.from_json({source.spec.to_json()!r})\n"
        f"OpenVinoEngine(Path({str(path)!r}), spec)\n"
        "import threading\n"
        "print(asked, 'openvino_telemetry' in sys.modules, threading.active_count())\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == "[] False 1"
