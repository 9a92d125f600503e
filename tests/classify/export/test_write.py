"""An artefact has the fixed interface, answers as headstart does, or is not there."""

import contextlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headstart.cache import FeatureSpec
from headstart.classify.export import write
from headstart.classify.export.formats import FORMATS, size_of
from headstart.classify.export.write import export_model
from headstart.classify.heads.abstention import Abstainer
from headstart.classify.heads.calibration import TemperatureScaled
from headstart.classify.heads.table import HEADS
from headstart.classify.saved.head_model import Model
from headstart.errors import ExportError, OptionError
from headstart.extract.decode.decode import decode
from headstart.extract.engine.choose import Plan
from headstart.extract.engine.engine import PixelEngine
from headstart.extract.source import FeatureOptions, FeatureSource
from pictures import COLOURS, paint

SIDE = 16
SPEC = FeatureSpec(
    "mobilenet", "0" * 64, ("pixels",), "none", (SIDE, SIDE), "crop", "none", "float32", 1
)
FORMS = list(FORMATS)
TREES = {"random-forest": {"head__n_estimators": 5}, "hist-gb": {"head__max_iter": 5}}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Sixteen pictures of each colour: a fold for training, a fold to evaluate."""
    root = tmp_path_factory.mktemp("pictures")
    for c, (name, colour) in enumerate(COLOURS.items()):
        for number in range(16):
            split = "train" if number < 10 else "test"
            size = (48, 64) if number % 2 else (70, 33)
            paint(root / split / name / f"{number}.png", colour, seed=50 * c + number, size=size)
    return root


def make_model(pictures, head):
    paths = sorted(pictures.glob("train/*/*.png"))
    pixels = [decode(path.read_bytes(), (SIDE, SIDE)) for path in paths]
    X = np.stack(pixels).reshape(len(pixels), -1).astype(np.float32)
    y = np.array([sorted(COLOURS).index(path.parent.name) for path in paths])
    pipeline = HEADS[head].pipeline(0)
    pipeline.set_params(**TREES.get(head, {}))
    estimator = TemperatureScaled(pipeline, cv=2).fit(X, y)
    sure = np.linspace(0.6, 0.99, len(y))
    abstainer = Abstainer(np.eye(3, X.shape[1], dtype=np.float32), sure, sure, sure > 0.7)
    return Model(head, estimator, sorted(COLOURS), SPEC, "imagenet", {}, abstainer)


@pytest.fixture(scope="module")
def model(pictures):
    """A linear head on sixteen by sixteen pixels: a whole classifier without a backbone."""
    return make_model(pictures, "logreg")


@contextlib.contextmanager
def handing_out_pixels(root):
    """Let the source of any model hand out pixels; yield its options."""
    made = FeatureOptions(cache=root / "cache", make_engine=lambda s: PixelEngine(s.spec))
    plan = Plan("tensorflow", "cpu", "float32", 8, 1)

    def source_of(model, options):
        return FeatureSource(made, model.spec, Path("none"), made.cache, plan)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "home"))
        patch.setattr(write, "source_of", source_of)
        yield made


@pytest.fixture
def options(tmp_path):
    with handing_out_pixels(tmp_path) as made:
        yield made


def need(package):
    """Skip where the extra is not installed."""
    pytest.importorskip(package, reason=f"{package}: headstart[export] is not installed")


@pytest.fixture(scope="module", params=FORMS)
def exported(request, model, pictures, tmp_path_factory):
    """An artefact of each format: the format's row, where it lies, what was told."""
    if request.param == "tflite":
        need("ai_edge_litert")
    root = tmp_path_factory.mktemp("exported")
    out = root / "folder" / "artefact"
    with handing_out_pixels(root) as made:
        run = export_model(model, out, made, form=request.param, data=pictures)
    return FORMATS[request.param], out, run


def test_the_interface_is_the_same_in_every_format(exported):
    row, out, run = exported
    runtime = row.open_artefact(out)
    for images in (
        np.zeros((1, 1, 1, 3), np.uint8),
        np.stack([paint_pixels(seed, (90, 40)) for seed in range(3)]),
        paint_pixels(3, (33, 180))[None],
    ):
        probabilities, labels = runtime(images)
        assert (probabilities.shape, labels.shape) == ((len(images), 3), (len(images),))
        assert (probabilities.dtype, labels.dtype) == (np.float32, np.int64)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
        np.testing.assert_array_equal(probabilities.argmax(axis=1), labels)
    assert run.record["bytes"] == size_of(out)
    assert [one.name for one in out.parent.iterdir()] == ["artefact"]
    assert run.warnings == []


def paint_pixels(seed, size):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def test_the_artefact_says_what_it_is(exported):
    row, out, run = exported
    about = row.read_about(out)
    assert about["classes"] == ["blue", "green", "red"]
    assert about["spec_id"] == SPEC.id
    assert about["created_by"].startswith("headstart ")
    assert about["parity"] == run.record["parity"]
    parity = about["parity"]
    assert (parity["images"], parity["labels_equal"]) == (48, 48)
    assert parity["difference"] < 1e-5
    accuracy = about["accuracy"]
    assert (accuracy["split"], accuracy["n"], accuracy["labels_equal"]) == ("test", 18, 18)
    assert (accuracy["accuracy"], accuracy["headstart"], accuracy["lost"]) == (1, 1, 0)
    low, high = accuracy["lost_ci95"]
    assert low <= 0 <= high
    rule = about["abstention"]
    assert rule["coverage"] >= rule["wished"] - 1 / 30
    assert 0.6 <= rule["threshold"] <= 0.7


def test_a_tflite_file_is_a_zip_of_labels_and_standard_metadata_too(model, options, tmp_path):
    need("ai_edge_litert")
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter

    out = tmp_path / "m.tflite"
    export_model(model, out, options)
    with zipfile.ZipFile(out) as zipped:
        assert zipped.read("labels.txt").decode() == "blue\ngreen\nred\n"
        about = json.loads(zipped.read("headstart.json"))
    parsed = schema.Model.GetRootAs(out.read_bytes(), 0)
    entries = {
        parsed.Metadata(at).Name(): parsed.Buffers(parsed.Metadata(at).Buffer()).DataAsNumpy()
        for at in range(parsed.MetadataLength())
    }
    assert json.loads(entries[b"headstart"].tobytes()) == about
    standard = entries[b"TFLITE_METADATA"].tobytes()
    assert standard[4:8] == b"M001"
    for word in (b"labels.txt", b"probabilities", b"label_index", b"images"):
        assert word in standard
    interpreter = Interpreter(str(out))
    assert [one["name"] for one in interpreter.get_input_details()] == ["images"]
    names = [one["name"] for one in interpreter.get_output_details()]
    assert names == ["probabilities", "label_index"]


def test_a_forest_goes_through_skl2onnx(pictures, options, tmp_path):
    need("skl2onnx")
    forest = make_model(pictures, "random-forest")
    run = export_model(forest, tmp_path / "t.onnx", options, data=pictures)
    assert run.record["parity"]["labels_equal"] == 48
    runtime = FORMATS["onnx"].open_artefact(tmp_path / "t.onnx")
    assert runtime(np.zeros((2, 9, 9, 3), np.uint8))[0].shape == (2, 3)
    for form in ("tflite", "saved-model"):
        with pytest.raises(ExportError, match=f"a random-forest head has no counterpart in {form}"):
            export_model(forest, tmp_path / "t", options, form=form)


def test_what_skl2onnx_cannot_convert_is_refused_by_name(pictures, options, tmp_path):
    """skl2onnx 1.20 hands onnx 1.23 booleans where it wants integers."""
    need("skl2onnx")
    boosted = make_model(pictures, "hist-gb")
    with pytest.raises(ExportError, match=r"cannot convert a hist-gb head \(.*\): train another"):
        export_model(boosted, tmp_path / "t.onnx", options)
    assert list(tmp_path.glob("*t.onnx*")) == []


def test_an_artefact_that_answers_otherwise_is_not_left(model, options, tmp_path, monkeypatch):
    need("ai_edge_litert")
    monkeypatch.setattr(
        write, "our_answers", lambda model, source, pixels: np.tile([0.2, 0.3, 0.5], (64, 1))
    )
    out = tmp_path / "m.tflite"
    out.write_bytes(b"an older one")
    with pytest.raises(ExportError, match=r"\d+ of 64 labels equal, .* 0.0001 is allowed"):
        export_model(model, out, options)
    assert out.read_bytes() == b"an older one"
    assert list(tmp_path.glob(".*")) == []
    run = export_model(model, out, options, tolerance=1.0)
    assert "have another label than headstart gives them" in run.warnings[0]
    assert out.read_bytes() != b"an older one"


def test_a_saved_model_is_replaced_and_nothing_else_is(model, options, tmp_path):
    out = tmp_path / "m"
    for _ in range(2):
        export_model(model, out, options, form="saved-model")
    (out / "saved_model.pb").unlink()
    with pytest.raises(ExportError, match="is a folder, and no SavedModel"):
        export_model(model, out, options, form="saved-model")
    with pytest.raises(ExportError, match="is a folder, and no SavedModel"):
        export_model(model, out, options, form="onnx")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ExportError, match="is a file: a SavedModel is a folder"):
        export_model(model, tmp_path / "file", options, form="saved-model")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"form": "onxx"}, OptionError, "unknown format 'onxx'; did you mean 'onnx'"),
        ({}, OptionError, "ends in neither .onnx nor .tflite: name --format"),
        ({"form": "onnx", "quantize": "int4"}, OptionError, "unknown quantisation 'int4'"),
        ({"form": "onnx", "quantize": "int8"}, OptionError, "name the dataset with --data"),
        (
            {"form": "saved-model", "quantize": "dynamic"},
            OptionError,
            "does not work with --format saved-model: take onnx or tflite",
        ),
        ({"form": "onnx", "tolerance": 0.0}, OptionError, "over 0 to 1"),
    ],
)
def test_what_cannot_work_is_refused_first(arguments, error, message, model, options, tmp_path):
    with pytest.raises(error, match=message):
        export_model(model, tmp_path / "out", options, **arguments)
    assert not (tmp_path / "out").exists()


def test_crops_are_refused_by_name(model, options, tmp_path):
    cropped = replace(model, spec=replace(SPEC, views=("original", "crop1")))
    with pytest.raises(ExportError, match="views original, crop1 cannot be exported"):
        export_model(cropped, tmp_path / "m.onnx", options)


def test_a_missing_extra_names_its_command(model, options, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(write.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ExportError, match=r"pip install 'headstart\[export\]'"):
        export_model(model, tmp_path / "m.tflite", options)
    monkeypatch.setitem(__import__("sys").modules, "skl2onnx", None)
    with pytest.raises(ExportError, match=r"needs skl2onnx: pip install 'headstart\[export\]'"):
        export_model(make_model(pictures, "random-forest"), tmp_path / "m.onnx", options)


def test_an_export_is_noted_in_the_models_card(model, options, tmp_path, monkeypatch):
    document = tmp_path / "m.MODEL.json"
    noted = []
    monkeypatch.setattr(write, "add_export", lambda card, entry: noted.append((card, entry)))
    run = export_model(model, tmp_path / "m", options, form="saved-model", card=document)
    assert (run.record["card"], noted) == (None, [])
    document.write_text("{}")
    run = export_model(model, tmp_path / "m", options, form="saved-model", card=document)
    [(card, entry)] = noted
    assert run.record["card"] == str(card) == str(document)
    assert (entry["file"], entry["format"], entry["quantize"]) == ("m", "saved-model", None)
    assert entry["parity"]["labels_equal"] is True
    assert entry["parity"]["largest"] == run.record["parity"]["difference"]


def test_a_place_that_cannot_be_written_is_told(model, options, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ExportError, match="cannot write"):
        export_model(model, tmp_path / "file" / "m.onnx", options)


def test_the_command_prints_one_document_or_three_lines(
    model, options, pictures, tmp_path, headstart
):
    need("ai_edge_litert")
    model.save(tmp_path / "m.headstart")
    arguments = ("export", tmp_path / "m.headstart", tmp_path / "m.tflite", "--data", pictures)
    status, out, err = headstart(*arguments, "--json", "--quiet")
    document = json.loads(out)
    assert (status, err, document["version"], document["format"]) == (0, "", 1, "tflite")
    assert document["parity"]["labels_equal"] == 48
    status, out, err = headstart(*arguments)
    assert status == 0
    assert "48 of 48 labels as headstart's, probabilities within" in out
    assert "accuracy 100.0 % on 18 images of the test split (95 % interval" in out
    status, _, err = headstart("export", tmp_path / "m.headstart", tmp_path / "m")
    assert (status, err.startswith("error: ")) == (1, True)
