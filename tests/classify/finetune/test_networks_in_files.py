"""Networks from files are cut, trained, saved and exported like those of the table, and again."""

import numpy as np
import pytest

import headstart
from headstart.classify.saved.load import load_model
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from networks import POOLINGS, hub_preset, plain_keras
from pictures import decode, paint_splits
from tuning import ONE

# Keras' own, as it saves on NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Eight pictures of each of three colours."""
    return paint_splits(tmp_path_factory.mktemp("colours"), train=6, test=2)


@pytest.fixture
def tune(data, tmp_path):
    """Fine-tune for an epoch; return the record and the classifier's file."""

    def run(backbone, unfreeze="1", out="m.headstart", rate=1e-2, **options):
        tuned = headstart.fit_finetune(
            data,
            **{**ONE, "unfreeze": unfreeze, "start": "random", "learning_rate": rate},
            backbone=str(backbone),
            out=tmp_path / out,
            images_per_step=4,
            engine="tensorflow",  # no export to wait for
            cache=tmp_path / "cache",
            **options,
        )
        return tuned.to_dict(), tmp_path / out

    return run


def probabilities(model, data, tmp_path):
    """Return what a saved classifier says of the evaluation images."""
    files = sorted(data.glob("test/*/*.png"))
    classifier = headstart.load(model, cache=tmp_path / "cache", engine="tensorflow")
    return files, classifier.predict_proba(files)


def test_a_users_keras_file_is_fine_tuned_and_labels_as_it_was_evaluated(tune, data, tmp_path):
    path, _ = plain_keras(tmp_path / "plain.keras")
    record, model = tune(path)
    assert record["unfreeze"] == ["high"]
    assert record["boundary"]["layer"].startswith("batch_normalization")
    assert set(record["moved"]) == {"high", "head"}
    assert min(record["moved"].values()) > 0
    files, says = probabilities(model, data, tmp_path)
    truth = [record["classes"].index(file.parent.name) for file in files]
    assert (says.argmax(axis=1) == truth).mean() == record["evaluation"]["accuracy"]
    exported = headstart.export(model, tmp_path / "m.onnx", cache=tmp_path / "cache").to_dict()
    assert exported["parity"]["labels_equal"] == exported["parity"]["images"]


def test_our_fine_tuned_network_goes_out_as_a_keras_file_and_is_fine_tuned_again(
    tune, data, tmp_path
):
    first, model = tune("mobilenet", input_size=64, rate=1e-4)
    assert min(first["moved"].values()) > 0
    headstart.export(model, tmp_path / "ours.keras", cache=tmp_path / "cache")
    again, second = tune(tmp_path / "ours.keras", "conv_pw_13", "again.headstart", 1e-4)
    assert set(again["moved"]) == {"conv_dw_13", "head"}
    assert min(again["moved"].values()) > 0
    assert load_model(second).features.backbone.startswith("keras-")
    source = feature_source(
        Recipe(str(tmp_path / "ours.keras")),
        Execution(cache=tmp_path / "cache", engine="tensorflow"),
    )
    tuned = load_model(model)
    files, says = probabilities(model, data, tmp_path)
    pixels = np.stack([decode(file.read_bytes(), (64, 64)) for file in files])
    kernel, bias = tuned.arrays[-2:]
    scores = (source.engine()(pixels) @ kernel + bias) / tuned.temperature
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    np.testing.assert_allclose(shares / shares.sum(axis=1, keepdims=True), says, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "blocks"),
    [
        ("vit", ["transformer_block_2", "transformer_block_3"]),
        ("resnet", ["stack0_block0_out", "stack1_block0_out"]),
    ],
)
def test_a_preset_is_tapped_at_two_blocks_fine_tuned_and_exported(kind, blocks, tune, tmp_path):
    pytest.importorskip("keras_hub", reason="no KerasHub: pip install 'headstart[kerashub]'")
    hub_preset(tmp_path / kind, kind, interpolation="bilinear")
    record, model = tune(
        f"kerashub:{tmp_path / kind}", unfreeze="2", layers=blocks, pooling=POOLINGS[kind]
    )
    assert len(record["moved"]) == 3
    assert min(record["moved"].values()) > 0
    exported = headstart.export(model, tmp_path / "m.onnx", cache=tmp_path / "cache").to_dict()
    assert exported["parity"]["labels_equal"] == exported["parity"]["images"]
