"""fit finetune from the command line: its contract, its refusals, a kill and a resumption."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import headstart
from headstart import cli
from headstart.classify.saved.card import read_card
from headstart.classify.saved.load import load_model
from pictures import COLOURS, paint
from tuning import ONE_OPTIONS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set of 24 pictures, and a cache that tests share."""
    root = tmp_path_factory.mktemp("network")
    for c, (name, colour) in enumerate(COLOURS.items()):
        for number in range(8):
            part = "train" if number < 6 else "test"
            paint(root / "data" / part / name / f"{number}.png", colour, seed=10 * c + number)
    return root


@pytest.fixture
def finetune(folder, capsys, monkeypatch):
    """Run ``fit finetune``; return (status, output, errors)."""
    monkeypatch.setenv("HEADSTART_CACHE", str(folder / "cache"))

    def run(*options):
        arguments = ["headstart", "fit", "finetune", str(folder / "data")]
        arguments += ["--engine", "tensorflow", *map(str, options)]  # no export to wait for
        monkeypatch.setattr("sys.argv", arguments)
        status = 0
        try:
            cli.main()
        except SystemExit as ended:
            status = ended.code or 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_its_json_is_the_contract(finetune, tmp_path):
    out = tmp_path / "m.headstart"
    status, text, err = finetune(*ONE_OPTIONS, "--epochs", 2, "--out", out, "--json")
    assert status == 0, err
    record = json.loads(text)
    assert set(record) >= {
        *("version", "model", "params", "evaluation", "seconds", "classes", "path", "seed"),
        *("unfreeze", "history", "moved", "boundary", "head", "against_head"),
        "search",
    }
    assert record["search"]["candidates"] == len(record["search"]["trials"]) == 1
    assert record["unfreeze"] == ["conv_dw_13"]
    assert [entry["epoch"] for entry in record["history"]] == [0, 1, 2]
    assert set(record["history"][1]) >= {"loss", "accuracy", "val_loss", "val_accuracy", "seconds"}
    assert record["images"] == {"training": 18, "held_out": 3, "evaluation": 6}
    assert record["boundary"]["layer"] == "conv_pw_12_relu"
    assert "held out: loss" in err
    assert "conv_pw_12_relu: 24 maps of 50,176 numbers, 4.82 MB in float32" in err
    saved = load_model(out).record
    assert saved["moved"] == record["moved"]

    card = read_card(tmp_path / "m.MODEL.json")
    assert (card["kind"], card["abstention"]) == ("network", None)
    assert card["chosen"]["unfreeze"] == record["unfreeze"]
    assert card["cost"]["trainable_parameters"] == record["trainable_parameters"]
    text = (tmp_path / "m.MODEL.md").read_text()
    assert "A fine-tuned network cannot abstain" in text
    assert "epochs were kept by log loss on 3 training images held out" in text


def test_a_saved_network_labels_files_and_pixels_from_python(finetune, folder, tmp_path):
    out = tmp_path / "m.headstart"
    assert finetune(*ONE_OPTIONS[2:], "--unfreeze", "none", "--out", out, "--quiet")[0] == 0
    classifier = headstart.load(out, cache=folder / "cache", engine="tensorflow")
    files = sorted((folder / "data" / "test").rglob("*.png"))
    pixels = [np.asarray(Image.open(file)) for file in files]
    assert classifier.predict(files).tolist() == [file.parent.name for file in files]
    np.testing.assert_allclose(
        classifier.predict_proba(pixels), classifier.predict_proba(files), atol=1e-5
    )


def test_a_rate_far_too_high_ends_with_one_line_and_keeps_the_best_weights(finetune, tmp_path):
    out = tmp_path / "m.headstart"
    status, text, err = finetune(
        *(option if option != "1e-4" else 1000 for option in ONE_OPTIONS),
        *("--images-per-step", 3, "--out", out, "--quiet", "--json"),
    )
    assert (status, text) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith("error: training diverged: the loss was ")
    assert f"the best weights, those after 0 epochs, are in {out}; take a lower" in line
    model = load_model(out)
    assert set(model.record["moved"].values()) == {0.0}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--unfreeze", "block5"), "error: unknown block 'block5'; valid: all, none, conv_dw_13"),
        (("--augment", "more"), "error: unknown augmentation 'more'; valid: none, views, on-the"),
        (("--cache-budget", "lots"), "error: a size is written like 500MB or 8GB, got 'lots'"),
        (("--budget", "much"), "error: --budget much: expected quick, standard, thorough or"),
        (("--batch-norm", "thawed"), "error: unknown batch norm 'thawed'; did you mean 'trained'"),
        (("--start", "heat"), "error: unknown start 'heat'; did you mean 'head'"),
        (("--learning-rate", "0"), "error: --learning-rate must be over 0, got 0"),
        (("--layer-decay", "2"), "error: --layer-decay must be over 0, up to 1, got 2"),
        (("--label-smoothing", "1"), "error: --label-smoothing must be from 0 to under 1, got 1"),
        (("--weight-decay", "-1"), "error: --weight-decay must be 0 or more, got -1"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(finetune, options, line):
    status, text, err = finetune(*options)
    assert (status, text) == (1, "")
    assert err.splitlines()[-1].startswith(line)


@pytest.mark.slow
def test_a_run_killed_in_epoch_3_and_resumed_ends_like_an_uninterrupted_one(folder, tmp_path):
    command = [
        *(sys.executable, "-m", "headstart", "fit", "finetune", str(folder / "data")),
        *(*ONE_OPTIONS, "--images-per-step", "1", "--json", "--engine", "tensorflow"),
        *("--epochs", "5", "--augment", "views", "--augment-views", "2"),
    ]
    command.remove("none")
    command.remove("--augment")

    def environment(name):
        return {**os.environ, "HEADSTART_CACHE": str(tmp_path / name)}

    def finished(name, *options):
        done = subprocess.run(
            [*command, *options],
            env=environment(name),
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout), done.stderr

    whole, _ = finished("whole")
    with subprocess.Popen(
        command,
        env=environment("killed"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert any(line.startswith("epoch 2/5:") for line in process.stderr)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    resumed, told = finished("killed", "--resume")
    assert "resuming: 1 trainings of this search were begun before" in told
    assert resumed["evaluation"]["accuracy"] == whole["evaluation"]["accuracy"]
    assert resumed["evaluation"]["log_loss"] == pytest.approx(
        whole["evaluation"]["log_loss"], rel=1e-4
    )
    for entry, same in zip(resumed["history"], whole["history"], strict=True):
        assert entry["val_loss"] == pytest.approx(same["val_loss"], rel=1e-4)
    assert not list((tmp_path / "killed").rglob("*.npz"))
