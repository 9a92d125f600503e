"""Exports of real classifiers, run without headstart: labels and accuracy are ours."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from headstart.classify.data.table import load_table
from headstart.classify.export.formats import FORMATS
from headstart.classify.export.write import export_model
from headstart.classify.finetune.finetune import fine_tune_dataset
from headstart.classify.fit.fit_heads import HeadSettings, fit_heads
from headstart.classify.saved.load import load_model
from headstart.errors import ExportError
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from tuning import one_candidate

MONKEYS = Path(__file__).parents[4] / "shared" / "data" / "monkeys10"
FILES = {"onnx": "monkeys.onnx", "tflite": "monkeys.tflite", "saved-model": "monkeys"}

# What a program without headstart does; the first line makes sure that it is one.
OPEN = {
    "onnx": """
import onnxruntime
session = onnxruntime.InferenceSession(artefact)
def classify(images):
    return session.run(["label_index"], {"images": images})[0]
""",
    "tflite": """
from ai_edge_litert.interpreter import Interpreter
run = Interpreter(artefact).get_signature_runner("serving_default")
def classify(images):
    return run(images=images)["label_index"]
""",
    "saved-model": """
import tensorflow
loaded = tensorflow.saved_model.load(artefact)
def classify(images):
    return loaded.signatures["serving_default"](images=images)["label_index"].numpy()
""",
}
LABEL = """
import sys
sys.modules["headstart"] = None
import json, numpy, os
from PIL import Image, ImageOps
artefact, data = sys.argv[1:]
{open}
right = [], []
labels = []
classes = sorted(os.listdir(data))
for number, name in enumerate(classes):
    for file in sorted(os.listdir(os.path.join(data, name))):
        image = ImageOps.exif_transpose(Image.open(os.path.join(data, name, file))).convert("RGB")
        labels.append((int(classify(numpy.asarray(image)[None])[0]), number))
print(json.dumps(labels))
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MONKEYS.is_dir(), reason="needs ../shared/data/monkeys10"),
]


def silent(name):
    return lambda *told: None


@pytest.fixture(scope="module")
def monkeys(tmp_path_factory):
    """A head on monkeys10: the model, its record, options, a folder for what is made of it."""
    root = tmp_path_factory.mktemp("monkeys")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "home"))
        options = Execution(cache=root / "cache")
        path = root / "m.headstart"
        fit_heads(
            read_dataset(MONKEYS), feature_source(execution=options), HeadSettings(), out=path
        )
        yield load_model(path), options, root


@pytest.fixture(scope="module")
def artefacts(monkeys):
    """All three formats, each with the record of its export."""
    model, options, root = monkeys
    return {
        form: (root / file, export_model(model, root / file, options, form=form, data=MONKEYS))
        for form, file in FILES.items()
    }


def test_the_artefacts_label_the_validation_images_alike_with_the_accuracy_of_evaluation(
    monkeys, artefacts
):
    model, _, _ = monkeys
    found = {}
    for form, (path, _) in artefacts.items():
        script = LABEL.format(open=OPEN[form])
        finished = subprocess.run(
            [sys.executable, "-c", script, path, MONKEYS / "validation"],
            capture_output=True,
            text=True,
            check=True,
        )
        found[form] = json.loads(finished.stdout)
    labels, truth = np.array(found["onnx"]).T
    assert len(labels) == 272
    assert found["onnx"] == found["tflite"] == found["saved-model"]
    assert (labels == truth).mean() == model.record["evaluation"]["accuracy"]


def test_parity_and_accuracy_are_in_the_record(monkeys, artefacts):
    model, _, _ = monkeys
    for form, (path, run) in artefacts.items():
        parity, accuracy = run.record["parity"], run.record["accuracy"]
        assert (parity["images"], parity["labels_equal"]) == (64, 64), form
        assert parity["difference"] < 1e-4
        assert (accuracy["n"], accuracy["labels_equal"], accuracy["lost"]) == (272, 272, 0)
        assert accuracy["accuracy"] == model.record["evaluation"]["accuracy"]
        assert FORMATS[form].read_about(path)["accuracy"] == accuracy


@pytest.mark.parametrize("quantize", ["dynamic", "int8"])
@pytest.mark.parametrize("form", ["onnx", "tflite"])
def test_quantised_artefacts_are_a_third_of_the_size_and_say_what_they_cost(
    form, quantize, monkeys
):
    model, options, root = monkeys
    out = root / f"{quantize}-{FILES[form]}"
    chosen = {"form": form, "quantize": quantize, "data": MONKEYS}
    with pytest.raises(ExportError, match=r"at most 0\.01 is allowed"):
        export_model(model, out, options, **chosen)
    assert not out.exists()
    run = export_model(model, out, options, **chosen, tolerance=1.0)
    assert run.record["bytes"] < run.record["float32_bytes"] / 3
    assert run.record["parity"]["labels_equal"] >= 60
    accuracy = run.record["accuracy"]
    assert accuracy["lost"] < 0.02
    assert accuracy["lost_ci95"][0] <= accuracy["lost"] <= accuracy["lost_ci95"][1]
    images = np.zeros((2, 300, 200, 3), np.uint8)
    probabilities, labels = FORMATS[form].open(out, model.spec)(images)
    assert (probabilities.dtype, labels.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize("unfreeze", ["conv_pw_13", "none", "all"])
def test_fine_tuned_networks_are_exported_too(unfreeze, tmp_path, monkeys):
    _, options, _ = monkeys
    source = feature_source(execution=options)
    dataset = read_dataset(MONKEYS)
    few = [image for number, image in enumerate(dataset.images) if number % 12 == 0]
    table = load_table(type(dataset)(dataset.root, few), source)
    settings = one_candidate(unfreeze=(unfreeze,))
    tuned = fine_tune_dataset(table, source, settings).model
    for form in FILES:
        run = export_model(tuned, tmp_path / form, options, form=form)
        assert run.record["parity"]["labels_equal"] == 64
        assert run.record["abstention"] is None


@pytest.mark.parametrize(
    ("head", "chosen"),
    [
        ("lda", {"layers": ("auto",), "views": "original,flip", "resize": "pad"}),
        ("knn", {"pooling": "avg+max", "resize": "squash"}),
        ("svm", {}),
        ("gaussian-nb", {}),
    ],
)
def test_heads_layers_views_and_resize_rules_are_exported(head, chosen, tmp_path, monkeys):
    _, options, _ = monkeys
    dataset = read_dataset(MONKEYS)
    few = [image for number, image in enumerate(dataset.images) if number % 12 == 0]
    source = feature_source(Recipe(**chosen), options)
    path = tmp_path / "m.headstart"
    fit_heads(type(dataset)(dataset.root, few), source, HeadSettings([head]), out=path)
    model = load_model(path)
    for form in FILES:
        run = export_model(model, tmp_path / form, options, form=form, data=MONKEYS / "validation")
        assert run.record["parity"]["labels_equal"] == 64
