"""Labels for new images: as in training, in order, in every format, whatever cannot be read."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakes import engines_made_by
from headstart.classify.fit.fit_heads import HeadSettings, fit_heads
from headstart.classify.predict.blocks import label_images
from headstart.classify.predict.model_source import source_of
from headstart.classify.predict.predict import Prediction, predict, predict_each
from headstart.classify.saved.load import load_model
from headstart.extract.features import load_features
from headstart.extract.images.dataset import read_dataset
from headstart.extract.images.in_memory import PixelImage
from headstart.extract.images.listing import list_images
from headstart.extract.ledger import Failure
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source
from near import near
from pictures import COLOURS, paint

MONKEYS = Path(__file__).parents[4] / "shared" / "data" / "monkeys10"


@pytest.fixture
def trained(colour_head, tmp_path, fake_engine):
    """A head on the coloured pictures: model, its file, options with the fake engine."""
    _, path = colour_head
    return load_model(path), path, Execution(cache=tmp_path / "cache")


@pytest.fixture
def torn(tmp_path):
    path = tmp_path / "new" / "torn.jpg"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"\xff\xd8\xff")
    return path


def test_answers_come_in_order_failures_among_them(trained, photographs, torn, heard):
    model, _, options = trained
    images = [torn, *sorted((photographs / "red").iterdir()), torn.with_name("absent.png")]
    answers = list(predict_each(model, images, options, 1, block=4))
    assert [answer.path for answer in answers] == images
    assert isinstance(answers[0], Failure)
    assert answers[-1].reason == "cannot read: No such file or directory"
    assert {answer.label for answer in answers[1:-1]} == {"red"}
    assert heard.stages == ["predicting"]
    assert heard.progress == sorted(heard.progress)
    assert heard.progress[-1] == (12, 12)


def test_blocks_and_a_single_call_say_the_same(trained, photographs):
    model, _, options = trained
    whole, _ = predict(model, [photographs], options)
    answers = predict_each(model, list_images([photographs]), options, block=7)
    assert list(answers) == near(whole)
    assert len(whole) == 30


def test_the_engine_is_made_once_and_nothing_known_runs_again(
    trained, photographs, tmp_path, fake_engine
):
    model, _, options = trained
    made = []

    def make(wanted):
        made.append(wanted)
        return fake_engine(wanted)

    predict(model, [photographs], options)
    before = fake_engine.images
    images = [paint(tmp_path / "new" / f"{n}.png", COLOURS["blue"], 900 + n) for n in range(5)]
    paths = list_images([photographs, *images])
    with engines_made_by(make):
        predictions = list(predict_each(model, paths, options, block=2))
    assert (len(made), fake_engine.images - before) == (1, 5)
    assert len(predictions) == 35


def test_images_in_memory_and_files_are_labelled_together(trained, photographs):
    model, _, options = trained
    path = photographs / "green" / "0.png"
    pixels = PixelImage(np.asarray(Image.open(path)), "from memory")
    (memory, file), failures = predict(model, [pixels, path], options)
    assert failures == []
    assert str(memory.path) == "from memory"
    assert memory.label == "green"
    assert memory.top == near(file.top)
    assert memory.digest != file.digest


def test_predictions_on_training_images_equal_the_estimator_on_training_features(
    trained, photographs
):
    model, _, options = trained
    images = [image.path for image in read_dataset(photographs).images]
    features = load_features(images, feature_source(execution=options))
    (block,) = label_images(model, source_of(model, options), images)
    np.testing.assert_allclose(block.probabilities, model.predict_proba(features.X), atol=1e-9)
    assert block.digests == features.digests


def test_csv_has_a_row_an_image_and_failures_on_standard_error(
    headstart, trained, photographs, torn
):
    _, path, options = trained
    arguments = ("predict", path, torn, photographs / "red", "--cache", options.cache)
    status, out, err = headstart(*arguments, "--format", "csv", "--top", "5")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0
    assert len(rows) == 10
    assert list(rows[0])[:6] == ["path", "label", "probability", "abstained", "class_1", "p_1"]
    assert {row["label"] for row in rows} == {"red"}
    assert rows[0]["p_5"] == ""  # three classes were known
    assert sum(float(rows[0][f"p_{rank}"]) for rank in (1, 2, 3)) == pytest.approx(1)
    assert "torn.jpg" not in out
    assert f"warning: {torn}: " in err


def test_json_lines_hold_failures_as_records(headstart, trained, photographs, torn):
    _, path, options = trained
    arguments = ("predict", path, torn, photographs / "red", "--cache", options.cache)
    status, out, _ = headstart(*arguments, "--format", "jsonl", "--top", "1")
    first, *others = map(json.loads, out.splitlines())
    assert status == 0
    assert first.keys() == {"path", "error"}
    assert first["path"] == str(torn)
    assert {(one["label"], one["abstained"]) for one in others} == {("red", False)}
    assert [len(one["top"]) for one in others] == [1] * 10


def test_rows_are_printed_as_they_come(trained, photographs, heard):
    model, _, options = trained
    images = sorted((photographs / "red").iterdir())
    answers = predict_each(model, images, options, 1, block=3)
    assert isinstance(next(answers), Prediction)
    assert max(heard.progress) == (3, 10)


def test_a_list_on_standard_input_is_labelled(headstart, trained, photographs, monkeypatch):
    _, path, options = trained
    files = sorted((photographs / "blue").iterdir())[:2]
    lines = b"".join(os.fsencode(file) + b"\n" for file in [*files, "/nowhere.jpg"])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))
    status, out, _ = headstart("predict", path, "-", "--cache", options.cache, "--json")
    told = json.loads(out)
    assert status == 0
    assert [p["path"] for p in told["predictions"]] == list(map(str, files))
    assert [f["path"] for f in told["failed"]] == ["/nowhere.jpg"]


def test_images_are_sorted_and_an_earlier_runs_folder_is_no_input(
    headstart, trained, photographs, torn
):
    _, path, options = trained
    out = photographs / "sorted"
    (photographs / "red" / "torn.jpg").write_bytes(torn.read_bytes())
    arguments = ("predict", path, photographs, "--cache", options.cache, "--sort-into", out)
    for _ in range(2):
        status, printed, err = headstart(*arguments, "--json")
        assert status == 0
        told = json.loads(printed)["predictions"]
        assert len(told) == 30
        assert f"sorted into {out}: blue 10, green 10, red 10" in err
    assert sorted(folder.name for folder in out.iterdir()) == sorted(COLOURS)
    links = [file for file in out.rglob("*") if not file.is_dir()]
    assert {str(file) for file in links} == {one["placed"] for one in told}
    assert len(links) == 30
    assert all(file.is_symlink() for file in links)
    status, *_ = headstart(*arguments[:-1], photographs / "copies", "--copy", "--quiet")
    assert status == 0
    assert not any(file.is_symlink() for file in (photographs / "copies").rglob("*"))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--format", "xml"), "error: unknown format 'xml'; valid: table, csv, jsonl, json"),
        (("--format", "csv", "--json"), "error: --json and --format csv are two formats: take one"),
        (("nothing/*.jpg",), "error: no file matches the pattern nothing/*.jpg"),
    ],
)
def test_what_cannot_be_asked_is_told_in_one_line(headstart, trained, photographs, options, line):
    status, out, err = headstart("predict", trained[1], photographs, *options)
    assert (status, out) == (1, "")
    assert err.splitlines()[-1] == line


def test_nothing_that_can_be_labelled_is_an_error(headstart, trained, torn):
    _, path, options = trained
    status, out, err = headstart("predict", path, torn, "--cache", options.cache, "--json")
    assert status == 1
    assert [f["path"] for f in json.loads(out)["failed"]] == [str(torn)]
    assert err.splitlines()[-1].startswith(f"error: none of the 1 images could be labelled; {torn}")


def test_progress_on_a_terminal_leaves_redirected_rows_alone(tmp_path):
    """Rich would send standard output to the terminal that shows the bars."""
    script = (
        "from headstart.console import stages\n"
        "from headstart.progress import stage\n"
        "with stages():\n"
        "    stage('x')(1, 2)\n"
        "    print('row', flush=True)\n"
    )
    ours, theirs = pty.openpty()
    with open(tmp_path / "rows", "wb") as rows:
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=rows, stderr=theirs, check=True
        )
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 0
    assert (tmp_path / "rows").read_text() == "row\n"


@pytest.mark.skipif(not MONKEYS.is_dir(), reason="../shared/data/monkeys10 is absent")
def test_photographs_get_training_time_features_and_labels(tmp_path):
    """The real network: an empty cache gives the features that training saw."""
    whole = read_dataset(MONKEYS)
    few = [image for label in whole.classes[:3] for image in _some(whole.images, label)]
    lines = [f"{image.path},{image.label},{image.split}" for image in few]
    (tmp_path / "few.csv").write_text("\n".join(["path,label,split", *lines]))
    options = Execution(cache=tmp_path / "training")
    source = feature_source(execution=options)
    run = fit_heads(
        read_dataset(tmp_path / "few.csv"),
        source,
        HeadSettings(),
        out=tmp_path / "m",
    )
    seen = load_features([image.path for image in few], source).X
    model = load_model(tmp_path / "m")
    # Another cache, another order, other batches.
    elsewhere = Execution(cache=tmp_path / "new", batch_size=3)
    paths = [image.path for image in few][::-1]
    (block,) = label_images(model, source_of(model, elsewhere), paths)
    again = load_features(paths, feature_source(execution=elsewhere))
    assert again.extraction.extracted == 0
    # In other batches float32 keeps six digits of the largest feature.
    np.testing.assert_allclose(again.X[::-1], seen, atol=1e-5 * np.abs(seen).max())
    np.testing.assert_allclose(block.probabilities, model.predict_proba(again.X), atol=1e-9)
    evaluated = [i for i, image in enumerate(few[::-1]) if image.split == "validation"]
    labels = [model.classes[row.argmax()] for row in block.probabilities[evaluated]]
    right = np.mean(
        [label == few[::-1][i].label for label, i in zip(labels, evaluated, strict=True)]
    )
    assert right == run.records[0]["evaluation"]["accuracy"]


def _some(images, label):
    own = [image for image in images if image.label == label]
    return [
        *[i for i in own if i.split == "train"][:8],
        *[i for i in own if i.split != "train"][:4],
    ]
