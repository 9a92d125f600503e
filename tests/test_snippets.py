"""What a reader copies from the pages gives what headstart says."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pictures import COLOURS, paint
from serving import serving

ROOT = Path(__file__).parents[1]
NO_HEADSTART = 'import sys; sys.modules["headstart"] = None; sys.path.insert(0, "")\n'
LINES = """
import shlex, sys
from headstart import cli
for line in sys.argv[1:]:
    sys.argv = shlex.split(line)
    try:
        cli.main()
    except SystemExit as ended:
        if ended.code:
            raise
"""
CLIENTS = ("onnxruntime", "openvino", "ai_edge_litert", "tensorflow", "mediapipe", "keras")


def blocks(page, language):
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(page):
    """Return the lines of a page's consoles that a reader types."""
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    return [line.removeprefix("$ ").partition("  #")[0] for line in lines if line.startswith("$ ")]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with what the pages name: photographs, and a classifier of them on MobileNet."""
    root = tmp_path_factory.mktemp("desk")
    for c, (name, colour) in enumerate(COLOURS.items()):
        for number in range(16):
            split = "training" if number < 11 else "validation"
            paint(root / "monkeys10" / split / name / f"{number}.jpg", colour, 50 * c + number)
    shutil.copytree(root / "monkeys10", root / "photographs")
    paint(root / "photograph.jpg", COLOURS["green"], 7)
    return root


@pytest.fixture(scope="module")
def run(desk):
    """Run a command of headstart in that folder, as a shell does."""

    def go(*words, program=("-m", "headstart"), **environment):
        finished = subprocess.run(
            [sys.executable, *program, *words],
            cwd=desk,
            env={
                "PATH": str(Path(sys.executable).parent),
                "HEADSTART_CACHE": str(desk / "cache"),
                "XDG_CACHE_HOME": str(desk / "home"),
                "HOME": str(desk),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    return go


@pytest.fixture(scope="module")
def script(run):
    """Run lines that start with headstart one after the other: TensorFlow is loaded once."""
    return lambda *lines: run(*lines, program=("-c", LINES))


@pytest.fixture(scope="module")
def monkeys(desk, run):
    run("fit", "head", "monkeys10", "--model", "logreg", "--out", "monkeys.headstart", "--quiet")
    return desk / "monkeys.headstart"


@pytest.fixture(scope="module")
def predicted(monkeys, run):
    """What headstart itself says of the photograph."""
    document = json.loads(run("predict", monkeys.name, "photograph.jpg", "--json", "--quiet"))
    return document["predictions"][0]


@pytest.fixture(scope="module")
def artefacts(monkeys, script):
    for module in CLIENTS:
        pytest.importorskip(module, reason=f"{module} is not installed")
    typed = commands("docs/export.md")
    assert len(typed) == 5
    script(*typed)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.usefixtures("artefacts")
def test_the_lines_for_each_runtime_say_what_headstart_says(client, desk, predicted):
    snippet = next(
        block
        for block in blocks("docs/export.md", "python")
        if f"import {client}" in block or f"from {client}" in block
    )
    finished = subprocess.run(
        [sys.executable, "-c", NO_HEADSTART + snippet],
        cwd=desk,
        capture_output=True,
        text=True,
        check=True,
    )
    label, probability = finished.stdout.split()
    assert label == predicted["label"] == "green"
    assert float(probability) == pytest.approx(predicted["probability"], abs=1e-4)


def test_every_snippet_of_the_page_belongs_to_a_client():
    assert len(blocks("docs/export.md", "python")) == len(CLIENTS)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_call_of_the_service_gets_the_document_that_the_page_shows(
    trained, tmp_path, photographs
):
    pytest.importorskip("fastapi", reason="the service: headstart[serve] is not installed")
    (line,) = [
        line
        for block in blocks("docs/serve.md", "")
        for line in block.splitlines()
        if line.startswith("curl ")
    ]
    (shown,) = blocks("docs/serve.md", "json")
    for name, content in (
        ("one.jpg", next(photographs.rglob("*.[jp][pn]g")).read_bytes()),
        ("two.jpg", b""),
    ):
        (tmp_path / name).write_bytes(content)
    with serving(trained()[0], cache=tmp_path / "cache") as service:
        words = shlex.split(line.replace("http://127.0.0.1:8000/", service.url))
        answer = subprocess.run(words, cwd=tmp_path, capture_output=True, check=True).stdout
    assert same_shape(json.loads(answer), json.loads(shown))
    assert json.loads(answer)["failed"] == json.loads(shown)["failed"]


def same_shape(document, example):
    """Tell whether two JSON documents have the same keys and kinds of values."""
    if isinstance(example, dict):
        return document.keys() == example.keys() and all(
            same_shape(document[key], example[key]) for key in example
        )
    if isinstance(example, list):
        return len(document) == len(example) and all(map(same_shape, document, example))
    return type(document) is type(example)


@pytest.mark.slow
def test_the_readmes_commands_run_in_their_order(run, desk):
    (desk / "holiday").mkdir()
    shutil.copy(desk / "photograph.jpg", desk / "holiday")
    typed = [shlex.split(line) for line in commands("README.md")]
    ours = [words[1:] for words in typed if words[0] == "headstart"]
    assert [words[0] for words in ours] == ["compare", "extract", "fit", "predict", "compare"]
    for words in ours[1:]:  # the first is the last, on other photographs
        run(*words, HEADSTART_COMPARE_TRANSFER_VS_FINETUNE_BUDGET="0.2")
    assert (desk / "report" / "index.html").is_file()


def test_the_readmes_three_lines_of_python_are_its_three_commands(desk, monkeypatch):
    """The last one is compiled alone: it compares for minutes, and is tested where it lives."""
    snippet, _ = blocks("README.md", "python")
    (desk / "holiday").mkdir(exist_ok=True)
    shutil.copy(desk / "photograph.jpg", desk / "holiday")
    monkeypatch.chdir(desk)
    lines = compile(snippet, "README.md", "exec").co_names
    assert {"fit_head", "predict", "compare"} <= set(lines)
    quick = snippet.replace('model="auto"', 'model="centroid"')
    exec(quick.partition("headstart.compare")[0], names := {})
    frame = names["headstart"].predict("monkeys.headstart", "holiday/", abstain=0.95).to_frame()
    assert frame["path"].tolist() == ["holiday/photograph.jpg"]


def test_the_readmes_python_is_a_search_over_images():
    """Its names are the reader's own; here, real ones."""
    _, snippet = blocks("README.md", "python")
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline

    names = {
        "GridSearchCV": GridSearchCV,
        "LogisticRegression": LogisticRegression,
        "make_pipeline": make_pipeline,
        "grid": {"logisticregression__C": [0.1, 1.0]},
    }
    exec(compile(snippet, "README.md", "exec"), names)
    assert names["search"].cv == 5
    assert names["search"].estimator[0].get_params()["backbone"] == "mobilenet"
