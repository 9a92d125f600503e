"""The example notebooks: committed as executed, and they run from top to bottom anywhere."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headstart.demo import write_digits

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
MOST_BYTES = {"three-commands.ipynb": 900_000}  # the report is in it; 300,000 of others
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|tmp|work|usr|Users|private)/")


def code_cells(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def assert_ran_whole(path):
    cells = code_cells(path)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output["output_type"] for cell in cells for output in cell["outputs"]}
    assert "error" not in kinds
    assert kinds & {"display_data", "execute_result"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_committed_as_executed_small_and_without_paths_of_a_machine(path):
    assert_ran_whole(path)
    assert path.stat().st_size < MOST_BYTES.get(path.name, 300_000)
    for cell in code_cells(path):
        texts = [
            *cell["source"],
            *(line for out in cell["outputs"] for line in out.get("text", [])),
        ]
        assert not [line for line in texts if MACHINE_PATH.search(line)], "run 'make examples'"


def test_twelve_lines_do_what_the_three_commands_do():
    cells = code_cells(EXAMPLES / "three-commands.ipynb")
    lines = [line for cell in cells for line in cell["source"] if line.strip()]
    assert len(lines) <= 12
    shown = [
        "".join(out.get("data", {}).get("text/html", "")) for c in cells for out in c["outputs"]
    ]
    assert [text for text in shown if "fine-tuned" in text and "<table>" in text]
    assert [text for text in shown if text.startswith("<iframe srcdoc=")]


@pytest.mark.slow
def test_the_notebooks_run_on_a_few_images(tmp_path):
    few = tmp_path / "few"
    for number, path in enumerate(sorted(write_digits(tmp_path / "digits").glob("[0-2]/*.png"))):
        part = {0: "train", 3: "validation"}.get(number % 12)
        if part is not None:
            folder = few / part / path.parent.name
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder)
    environment = {
        **os.environ,
        "HEADSTART_EXAMPLE_DATA": str(few),
        "HEADSTART_CACHE": str(tmp_path / "cache"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    finished = subprocess.run(
        [sys.executable, EXAMPLES / "execute.py", "--into", tmp_path / "ran"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    for path in NOTEBOOKS:
        assert_ran_whole(tmp_path / "ran" / path.name)
    assert (tmp_path / "ran" / "out" / "flowers.MODEL.md").is_file()
