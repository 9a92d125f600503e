"""A locale that is not UTF-8: names are shown and written as they are, and no command breaks."""

import json
import os
import subprocess
import sys

from pictures import COLOURS, paint

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NAMES = ("caf\udce9", "écureuil", "rot")
TELL = """
import json
from headstart.classify.export.about import labels_text
from headstart.text import shown
names = json.loads(input())
print(json.dumps([labels_text(names), *map(shown, names)]))
"""
# Which engine computes is nothing to a locale: this one needs neither TensorFlow nor an export.
HEADSTART = """
import sys
from headstart import cli
from headstart.extract.engine.open_engine import MAKERS
class Engine:
    name, device, notes, widths = "fake", "cpu", (), (7,)
    def __init__(self, source): pass
    def __call__(self, images):
        return images.reshape(len(images), -1)[:, :7].astype("float32")
MAKERS.update(dict.fromkeys(MAKERS, Engine))
sys.argv[0] = "headstart"
cli.main()
"""


def run(folder, *words, told=""):
    finished = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, **ASCII, "HEADSTART_CACHE": str(folder / "cache")},
        input=told,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def test_a_fit_of_classes_of_any_bytes_writes_its_card(tmp_path):
    for c, (name, colour) in enumerate(zip(NAMES, COLOURS.values(), strict=True)):
        for number in range(6):
            paint(tmp_path / "data" / name / f"{number}.png", colour, 10 * c + number)
    words = ("fit", "head", "data", "--model", "gaussian-nb", "--out", "m.headstart")
    record = run(tmp_path, "-c", HEADSTART, *words, "--quiet", "--json")
    assert record["path"] == "m.headstart"
    assert "caf" in (tmp_path / "m.MODEL.md").read_text(encoding="utf-8")


def test_names_are_shown_and_exported_as_elsewhere(tmp_path):
    labels, *shown = run(tmp_path, "-c", TELL, told=json.dumps(NAMES))
    assert (shown[0], shown[2]) == (r"caf\xe9", "rot")
    assert labels == "caf\\xe9\nécureuil\nrot\n"
