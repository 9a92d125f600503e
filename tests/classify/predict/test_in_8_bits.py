"""A head on a network in 8 bits brings that network: it labels anywhere, and the same."""

import json
import subprocess
import sys

import numpy as np
import pytest

from headstart.classify.compare.compare import compare
from headstart.classify.explain.explain import explain
from headstart.classify.export.write import export_model
from headstart.classify.finetune.run import fit_network
from headstart.classify.finetune.settings import FineTuneSettings
from headstart.classify.fit.fit_heads import HeadSettings, fit_heads
from headstart.classify.predict.predict import predict
from headstart.classify.saved.load import load_model
from headstart.errors import ExportError, OptionError
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from pictures import paint_photographs

# Without TensorFlow, Keras, the converter and any weights file; nothing of training is at hand.
ELSEWHERE = """
import sys
for name in ("tensorflow", "keras", "tf2onnx", "openvino", "nncf"):
    sys.modules[name] = None
from headstart.extract.backbone import backbones
backbones.Pretrained.local = None
from headstart.cli import main
main()
"""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A head on MobileNet in 8 bits, at 64 pixels: its record, file, photographs and source."""
    root = tmp_path_factory.mktemp("int8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "home"))
        dataset = read_dataset(paint_photographs(root / "photographs"))
        training = {bytes([n]) * 32: image.path for n, image in enumerate(dataset.images[:8])}
        source = feature_source(
            Recipe(precision="int8", input_size=64, views="original,flip"),
            Execution(cache=root / "cache"),
            training=lambda: training,
        )
        out = root / "m.headstart"
        run = fit_heads(dataset, source, HeadSettings(), out, accept_loss=True)
    return run.best, out, dataset, source


def labels(answers):
    return [(row["label"], round(row["probability"], 5)) for row in answers["predictions"]]


def test_it_labels_without_tensorflow_and_without_a_weights_file(fitted, tmp_path):
    _, out, dataset, _ = fitted
    copy = tmp_path / "copy.headstart"
    copy.write_bytes(out.read_bytes())
    arguments = ["predict", copy, dataset.root, "--cache", tmp_path / "cache", "--json"]
    finished = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(finished.stdout)
    paths = [row["path"] for row in found["predictions"]]
    here, _ = predict(load_model(out), paths, Execution(cache=tmp_path / "other"))
    assert len(found["predictions"]) == 30
    assert labels(found) == labels({"predictions": [each.to_dict() for each in here]})


def test_the_record_says_what_the_precision_costs(fitted):
    record, *_ = fitted
    assert record["precision"]["precision"] == "int8"
    assert record["precision"]["images"] == 30 - record["evaluation"]["n"]


def test_the_artefact_answers_as_the_model_does(fitted, tmp_path):
    _, out, _, _ = fitted
    run = export_model(load_model(out), tmp_path / "m.onnx", Execution(cache=tmp_path / "cache"))
    assert [trial["name"] for trial in run.record["runtimes"]] == ["ONNX Runtime"]
    assert run.record["parity"]["labels_equal"] == 64
    assert run.record["parity"]["difference"] < 1e-4  # the integers are the same
    assert run.record["bytes"] < 6e6


@pytest.mark.parametrize("options", [{"form": "tflite"}, {"quantize": "dynamic"}])
def test_other_formats_do_not_hold_it(fitted, tmp_path, options):
    _, out, _, _ = fitted
    with pytest.raises(ExportError, match="in 8 bits already, which ONNX alone holds"):
        export_model(load_model(out), tmp_path / "m.onnx", Execution(), **options)


def test_occlusion_explains_it(fitted, tmp_path):
    _, out, dataset, _ = fitted
    execution = Execution(cache=tmp_path / "cache")
    made = explain(load_model(out), [dataset.images[0].path], execution, nearest=0)
    assert made.choice.method == "occlusion"
    assert "in 8 bits, through which no gradient leads" in made.choice.why
    assert np.isfinite(made.images[0].maps[0].values).all()


def test_it_is_not_trained(fitted):
    _, _, dataset, source = fitted
    with pytest.raises(OptionError, match="in 8 bits only runs, it cannot be trained"):
        fit_network(dataset, source, FineTuneSettings())
    with pytest.raises(
        OptionError, match="is nothing to compare, and a network in 8 bits only runs"
    ):
        compare(dataset, [source], ["logreg"], [])
