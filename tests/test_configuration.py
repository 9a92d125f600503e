"""Options from files and the environment: what wins, what is refused, and a run said again."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def heads(told):
    document = json.loads(told[1])
    return [head["model"] for head in document.get("heads", [document])]


def test_a_saved_run_is_said_again_by_its_file_alone(headstart, photographs, here):
    typed = ("--model", "ridge", "--layer", "conv_pw_13_relu", "--seed", 3, "--json")
    gate = ("--assert", "accuracy>=0.5", "--max-failures", "2")
    first = headstart("fit", "head", photographs, *typed, *gate, "--save-config", "run.toml")
    table = tomllib.loads((here / "run.toml").read_text())["fit"]["head"]
    assert table["data"] == str(photographs)
    assert (table["model"], table["seed"], table["pooling"]) == (["ridge"], 3, "avg")
    assert table["assert"] == ["accuracy>=0.5"]
    again = headstart("fit", "head", "--config", "run.toml")
    assert again[0] == first[0] == 0
    left_out = {"seconds", "taps"}
    documents = [json.loads(told[1]) for told in (first, again)]
    for key in documents[0].keys() - left_out:
        assert documents[1][key] == documents[0][key], key


def test_what_is_typed_wins_over_environment_over_file_over_default(
    headstart, photographs, here, monkeypatch
):
    (here / "c.toml").write_text('[fit.head]\nmodel = ["ridge", "centroid"]\njson = true\n')
    arguments = ("fit", "head", photographs, "--config", "c.toml")
    assert heads(headstart(*arguments)) == ["centroid", "ridge"]
    monkeypatch.setenv("HEADSTART_FIT_HEAD_MODEL", "lda centroid")
    assert heads(headstart(*arguments)) == ["centroid", "lda"]
    assert heads(headstart(*arguments, "--model", "knn")) == ["knn"]


def test_the_project_file_holds_what_commands_share(headstart, photographs, here):
    (here / "pyproject.toml").write_text(
        '[tool.headstart]\nseed = 5\njson = true\n[tool.headstart.fit]\npooling = "max"\n'
        '[tool.headstart.fit.head]\nmodel = "centroid"\n'
    )
    told = headstart("fit", "head", photographs)
    assert heads(told) == ["centroid"]
    assert json.loads(told[1])["seed"] == 5
    assert json.loads(headstart("extract", "features", photographs)[1])["spec"]["pooling"] == "avg"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[fit.head]\nmodle = "ridge"', "unknown option in c.toml 'modle'; did you mean 'model'?"),
        ('polling = "max"', "unknown option in c.toml 'polling'; did you mean 'pooling'?"),
        ("[fit.head", "cannot read the options in c.toml"),
        ("[fit.head]\nsample = 0", "sample"),
    ],
)
def test_what_a_file_gets_wrong_is_told(headstart, photographs, here, text, says):
    (here / "c.toml").write_text(text)
    status, out, err = headstart("fit", "head", photographs, "--config", "c.toml")
    assert status in {1, 2}
    assert out == ""
    assert says in err


def test_a_file_that_is_not_there_is_told(headstart, photographs, here):
    del here
    status, _, err = headstart("fit", "head", photographs, "--config", "none.toml")
    assert status == 1
    assert "cannot read the options in none.toml" in err


def test_the_shell_completes_commands():
    asked = {
        "_HEADSTART_COMPLETE": "complete_bash",
        "COMP_WORDS": "headstart fit ",
        "COMP_CWORD": "2",
    }
    program = Path(sys.executable).with_name("headstart")
    told = subprocess.run(
        [program], check=False, env=os.environ | asked, capture_output=True, text=True
    )
    assert set(told.stdout.split()) == {"rank", "finetune", "head", "learning-curve"}
