"""The model card: made from the saved classifier alone, read back by the Hub's own library."""

import csv
import json
import re

import pytest

from headstart.classify.saved.card import (
    add_export,
    card_paths,
    make_card,
    read_card,
    to_markdown,
    write_card,
)
from headstart.classify.saved.card_document import CardDocument
from headstart.classify.saved.load import load_model
from headstart.errors import ModelError
from pictures import COLOURS, HOSTILE, paint

EXPORT = {
    "format": "onnx",
    "file": "m.onnx",
    "bytes": 13_000_000,
    "quantize": None,
    "parity": {"images": 64, "labels_equal": True, "largest": 3e-7, "tolerance": 1e-4},
}


@pytest.fixture
def saved(headstart, photographs, tmp_path):
    path = tmp_path / "models" / "m.headstart"
    status, out, err = headstart("fit", "head", photographs, "--model", "logreg", "--out", path)
    assert status == 0, err
    assert out.splitlines()[-1] == f"model card: {card_paths(path)[0]}"
    return path


def test_the_card_is_written_beside_the_model_and_can_be_made_anew(saved):
    markdown, document = card_paths(saved)
    written = [markdown.read_bytes(), document.read_bytes()]
    assert sorted(p.name for p in saved.parent.iterdir()) == [
        *("m.MODEL.json", "m.MODEL.md", "m.headstart"),
    ]
    markdown.unlink()
    document.unlink()
    assert write_card(load_model(saved), saved) == (markdown, document)
    assert [markdown.read_bytes(), document.read_bytes()] == written


def test_the_document_has_its_documented_shape(saved):
    card = read_card(card_paths(saved)[1])
    assert set(card) == CardDocument.__required_keys__
    assert card["version"] == 1
    assert card["classes"] == sorted(COLOURS)
    assert card["spec"]["id"] == load_model(saved).spec.id
    assert card["cost"]["trainable_parameters"] == 3 * (12 + 1)
    assert card["bytes"] == saved.stat().st_size
    assert set(card["versions"]) >= {"headstart", "python", "tensorflow", "scikit-learn", "numpy"}


def test_the_hubs_own_library_reads_the_same_figures(saved):
    hub = pytest.importorskip("huggingface_hub", reason="the Hub's library is not installed")

    markdown, document = card_paths(saved)
    card = read_card(document)
    told = hub.ModelCard.load(markdown).data
    assert (told.library_name, told.pipeline_tag) == ("headstart", "image-classification")
    assert told.base_model == "google/mobilenet_v1_1.0_224"
    assert told.model_name == "m"
    assert (told.license, told.license_name) == ("other", "not-chosen-yet")
    read = {one.metric_type: one.metric_value for one in told.eval_results}
    figures = card["evaluation"]["figures"]
    assert read == {
        "accuracy": figures["accuracy"]["value"],
        "f1": figures["macro_f1"]["value"],
        "log_loss": figures["log_loss"]["value"],
        "ece": figures["ece"]["value"],
    }
    (data,) = {(one.dataset_name, one.dataset_split) for one in told.eval_results}
    assert data == ("photographs", "held-out fifth")
    again = hub.metadata_load(markdown)
    assert told.to_dict()["model-index"] == again["model-index"]


def test_no_path_of_the_machine_is_in_a_card(saved, tmp_path):
    for path in card_paths(saved):
        assert str(tmp_path) not in path.read_text()


def test_an_export_is_noted_in_both_files_and_takes_an_earlier_ones_place(saved):
    markdown, document = card_paths(saved)
    before = markdown.read_text()
    assert "None yet." in before
    add_export(document, EXPORT)
    add_export(document, {**EXPORT, "file": "m.tflite", "format": "tflite", "quantize": "int8"})
    add_export(document, {**EXPORT, "bytes": 14_000_000, "accuracy_lost": 0.0125})
    card = read_card(document)
    assert [one["file"] for one in card["exports"]] == ["m.tflite", "m.onnx"]
    text = markdown.read_text()
    assert text == to_markdown(card)
    assert "| m.onnx | onnx | – | 14,000,000 | 64 images | equal | 3e-07 | 0.0001 | 1.2 % |" in text
    assert "| m.tflite | tflite | int8 | 13,000,000 |" in text
    assert text.split("## Exports")[0] == before.split("## Exports")[0]


def test_limits_are_those_of_this_classifier(saved, photographs):
    text = "\n".join(read_card(card_paths(saved)[1])["limits"])
    n = read_card(card_paths(saved)[1])["evaluation"]["n"]
    assert f"The figures rest on {n} images: one of them is {100 / n:.2g} points" in text
    assert "Few training images, fewer than 20: blue (" in text
    assert "predict --abstain 0.95 leaves the most unusual images to a person" in text
    assert "ImageNet" in text
    assert "the middle square of each image, at 224 x 224 pixels" in text


@pytest.fixture
def hostile(headstart, tmp_path):
    """A model whose classes have names that mean something in Markdown, YAML or HTML."""
    root = tmp_path / "photographs"
    names = [*HOSTILE, "---\nkey: value", "caf\udce9"]
    with open(paint(root / "x.png", (0, 0, 0), 0).with_name("list.csv"), "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label"])
        for c, name in enumerate(names[:4]):
            for number in range(8):
                path = paint(
                    root / f"{c}-{number}.png", (60 * c, 90, 200 - 50 * c), 10 * c + number
                )
                table.writerow([path.name, name])
    path = tmp_path / "it's $(x).headstart"
    status, _, err = headstart("fit", "head", root / "list.csv", "--model", "ridge", "--out", path)
    assert status == 0, err
    return path


def test_hostile_names_stay_text_in_metadata_and_markdown(hostile):
    hub = pytest.importorskip("huggingface_hub", reason="the Hub's library is not installed")

    text = card_paths(hostile)[0].read_text()
    front, body = text.removeprefix("---\n").split("\n---\n", 1)
    assert not re.search(r"(?<!\\)[<>*]", re.sub(r"\*\*[\d.]+ %\*\*|`[^`]*`", "", body))
    rows = [line for line in body.splitlines() if line.startswith("| ") and " 95 " not in line]
    widths = {line.replace(r"\|", "").count("|") for line in rows}
    assert widths <= {4, 5, 6, 8}
    assert hub.ModelCard.load(card_paths(hostile)[0]).data.eval_results
    assert "$ headstart predict 'it'\"'\"'s $(x).headstart' photographs/" in body
    assert front.count("\n---") == 0


def test_a_model_without_an_account_says_why_it_has_no_card(saved, photographs):
    from dataclasses import replace

    model = load_model(saved)
    record = {key: value for key, value in model.record.items() if key != "account"}
    with pytest.raises(ModelError, match="saved without an account of its evaluation"):
        make_card(replace(model, record=record), saved)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"no model card .*gone\.json: 'fit head --out FILE' writes it beside FILE"),
        ("{", "is no model card, or damaged"),
        ("[]", "is no model card, or damaged"),
        ('{"version": 9}', "is a model card of version 9, this headstart reads 1"),
    ],
)
def test_what_is_no_card_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "gone.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ModelError, match=message) as caught:
        add_export(path, EXPORT)
    assert "\n" not in str(caught.value)


def test_a_card_that_cannot_be_written_leaves_the_old_one_whole(saved, monkeypatch):
    markdown, document = card_paths(saved)
    before = [markdown.read_bytes(), document.read_bytes()]

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(ModelError, match=r"cannot write the model card .*: No space left on dev"):
        add_export(document, EXPORT)
    assert [markdown.read_bytes(), document.read_bytes()] == before
    assert not [p for p in saved.parent.iterdir() if p.name.endswith(".tmp")]


def test_a_card_is_json_that_any_reader_takes(saved):
    json.loads(card_paths(saved)[1].read_text(), parse_constant=pytest.fail)
