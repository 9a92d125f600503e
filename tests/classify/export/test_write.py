"""An artefact has the fixed interface, answers as headstart does, or is not there."""

import contextlib
import functools
import json
import re
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from fakes import FakeEngine, engines_made_by
from headstart.cache import FeatureSpec
from headstart.classify.export import write
from headstart.classify.export.artefact import Runtime, size_of
from headstart.classify.export.formats import FORMATS
from headstart.classify.export.write import export_model, write_preprocess
from headstart.classify.fit.fit_heads import HeadSettings, fit_heads
from headstart.classify.heads.abstention import Abstainer
from headstart.classify.heads.calibration import TemperatureScaled
from headstart.classify.heads.table import HEADS
from headstart.classify.saved.card import read_card
from headstart.classify.saved.head_model import Model
from headstart.errors import ExportError, OptionError
from headstart.extract.engine.choose import Plan
from headstart.extract.engine.engine import PixelEngine
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import FeatureSource, feature_source
from pictures import COLOURS, decode, paint

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
    """Let the source of any model hand out sixteen by sixteen pixels; yield its options."""
    made = Execution(cache=root / "cache")
    plan = Plan("tensorflow", "cpu", "float32", 8, 1)

    def source_of(model, execution):
        return FeatureSource(Recipe(), execution, model.spec, root, execution.cache, plan)

    pixels = engines_made_by(lambda wanted: PixelEngine(wanted.spec))
    with pytest.MonkeyPatch.context() as patch, pixels:
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


@pytest.fixture(scope="module")
def export_once(model, pictures, tmp_path_factory):
    """Return a function from a format to an artefact: its row, where it lies, what was told."""

    @functools.cache
    def once(form):
        if form in ("tflite", "mediapipe"):
            need("ai_edge_litert")
        root = tmp_path_factory.mktemp("exported")
        out = root / "folder" / "artefact"
        with handing_out_pixels(root) as options:
            run = export_model(model, out, options, form=form, data=pictures)
        return FORMATS[form], out, run

    return once


@pytest.fixture(params=FORMS)
def exported(request, export_once):
    return export_once(request.param)


def test_the_interface_is_the_same_in_every_format(exported):
    row, out, run = exported
    runtime = row.open(out, SPEC)
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
    assert {path.name for path in out.parent.iterdir()} == {"artefact", "preprocess.py"}
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


def test_a_tflite_file_is_a_zip_of_labels_and_standard_metadata_too(export_once):
    need("ai_edge_litert")
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter

    _, out, _ = export_once("tflite")
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
    assert [trial["name"] for trial in run.record["runtimes"]] == ["ONNX Runtime"]
    runtime = FORMATS["onnx"].open(tmp_path / "t.onnx", SPEC)
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
    """A runtime that always says the same stands for one that computes wrongly."""
    stubborn = Runtime(
        "Stubborn", "numpy", lambda path: lambda images: (np.array([[0.2, 0.3, 0.5]]), [2])
    )
    row = FORMATS["saved-model"]
    monkeypatch.setitem(FORMATS, row.name, replace(row, runtimes=(*row.runtimes, stubborn)))
    out = tmp_path / "made" / "m"
    message = r"in Stubborn [\d.]+ the artefact answers .* \d+ of 64 labels .* 0.0001 is allowed"
    with pytest.raises(ExportError, match=message):
        export_model(model, out, options, form="saved-model")
    assert list(out.parent.iterdir()) == []
    run = export_model(model, out, options, form="saved-model", tolerance=1.0)
    assert "have another label than headstart gives them" in run.warnings[0]
    assert run.record["parity"]["labels_equal"] == 64
    assert run.record["runtimes"][1]["labels_equal"] < 64


def test_it_is_tried_in_each_runtime_that_is_installed(exported):
    row, _, run = exported
    tried = {trial["name"]: trial for trial in run.record["runtimes"]}
    assert set(tried) == {runtime.name for runtime in row.runtimes if runtime.installed}
    for trial in tried.values():
        assert trial["labels_equal"] == 48
        assert trial["difference"] < 1e-5
        assert re.match(r"\d+\.\d+", trial["version"])


def test_openvino_is_right_from_its_first_inference_on(export_once):
    """Each image is the first of its own compilation; some are tall enough to turn."""
    need("openvino")
    row, out, _ = export_once("onnx")
    onnxruntime, openvino = row.runtimes
    for size in ((640, 80), (300, 224), (80, 640), (1, 1)):
        images = paint_pixels(1, size)[None]
        expected, actual = (runtime.open(out)(images)[0] for runtime in (onnxruntime, openvino))
        np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_nothing_branches(export_once):
    """OpenVINO computes an If wrongly, TensorFlow Lite makes subgraphs of one."""
    need("ai_edge_litert")
    import onnx
    from ai_edge_litert import schema_py_generated as schema

    nodes = onnx.load(export_once("onnx")[1]).graph.node
    graphs = [a for node in nodes for a in node.attribute if a.HasField("g") or a.graphs]
    assert graphs == []
    flat = export_once("tflite")[1].read_bytes()
    assert schema.Model.GetRootAs(flat, 0).SubgraphsLength() == 1


def test_mediapipe_tasks_take_the_file_as_it_is(model, pictures, export_once):
    need("ai_edge_litert")
    mediapipe = pytest.importorskip("mediapipe", reason="MediaPipe Tasks are not installed")
    _, out, _ = export_once("mediapipe")
    vision = mediapipe.tasks.vision
    photographs = sorted(pictures.glob("*/*/*.png"))[:20]
    pixels = [decode(path.read_bytes(), (SIDE, SIDE)) for path in photographs]
    ours = model.predict_proba(np.stack(pixels).reshape(20, -1).astype(np.float32))
    with vision.ImageClassifier.create_from_model_path(str(out)) as classifier:
        for image, expected in zip(pixels, ours, strict=True):
            framed = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image)
            categories = classifier.classify(framed).classifications[0].categories
            told = {category.category_name: category.score for category in categories}
            assert told == pytest.approx(dict(zip(model.classes, expected, strict=True)), abs=1e-5)


def test_a_function_that_reads_photographs_is_written_beside_it_and_nothing_of_others_replaced(
    exported, tmp_path
):
    _, out, run = exported
    beside = out.parent / "preprocess.py"
    assert run.record["preprocess"] == str(beside)
    assert "def read_pixels" in beside.read_text()
    assert write_preprocess(beside) == (str(beside), []), "an older one of ours"
    mine = tmp_path / "preprocess.py"
    mine.write_text("# mine")
    assert write_preprocess(mine) == (
        None,
        [f"{mine} is not of headstart's making and stays as it is"],
    )
    assert mine.read_text() == "# mine"


def test_class_names_that_are_not_utf_8_are_written_out(model, pictures, options, tmp_path):
    need("ai_edge_litert")
    named = replace(model, classes=["blau", "caf\udce9", "rot"])
    for form in ("tflite", "saved-model"):
        out = tmp_path / form
        export_model(named, out, options, form=form)
        assert FORMATS[form].read_about(out)["classes"] == named.classes
    labels = (tmp_path / "saved-model" / "assets" / "labels.txt").read_text(encoding="utf-8")
    assert labels == "blau\ncaf\\xe9\nrot\n"


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
        ({}, OptionError, "nor .keras: name .* a folder is --format saved-model"),
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
    row = FORMATS["tflite"]
    absent = Runtime("absent", "no-such-package", row.runtimes[0].open)
    monkeypatch.setitem(FORMATS, "tflite", replace(row, runtimes=(absent,)))
    with pytest.raises(ExportError, match=r"no-such-package, .* pip install 'headstart\[export\]'"):
        export_model(model, tmp_path / "m.tflite", options)
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ExportError, match=r"needs skl2onnx: pip install 'headstart\[export\]'"):
        export_model(make_model(pictures, "random-forest"), tmp_path / "m.onnx", options)


def test_an_export_is_noted_in_the_models_card(model, options, pictures, tmp_path):
    document = tmp_path / "m.MODEL.json"
    run = export_model(model, tmp_path / "m", options, form="saved-model", card=document)
    assert run.record["card"] is None
    source = feature_source(execution=Execution(cache=tmp_path / "cache"))
    with engines_made_by(FakeEngine):
        fit_heads(
            read_dataset(pictures), source, HeadSettings(["logreg"]), out=tmp_path / "m.headstart"
        )
    run = export_model(model, tmp_path / "m", options, form="saved-model", card=document)
    (entry,) = read_card(document)["exports"]
    assert run.record["card"] == str(document)
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
