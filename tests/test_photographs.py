"""The figures on real photographs. They need ../shared and say so where it is absent."""

from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from headstart.cache import cache_folder
from headstart.classify.data.table import load_table
from headstart.classify.export.graph import build_graph
from headstart.classify.finetune.finetune import fine_tune_dataset
from headstart.classify.finetune.settings import FineTuneSettings
from headstart.classify.fit.fit_head import fit_head
from headstart.classify.fit.fit_heads import HeadSettings, fit_heads
from headstart.classify.fit.learning_curve import learning_curve
from headstart.classify.heads.table import find_head
from headstart.classify.saved.head_model import Model
from headstart.extract.engine.agreement import relative_error
from headstart.extract.engine.tensorflow import TensorFlowEngine
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from pictures import decode
from s3 import s3_server, upload
from shards import WRITERS

SHARED = Path(__file__).parents[2] / "shared"
pytestmark = pytest.mark.skipif(
    not (SHARED / "data").is_dir(), reason="real photographs: ../shared is absent"
)


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    """One cache for the tests that ask for the same features."""
    return tmp_path_factory.mktemp("extracted")


@pytest.mark.parametrize(("name", "target"), [("monkeys10", 0.965), ("flowers17", 0.96)])
def test_logistic_regression_on_frozen_mobilenet_reaches_its_target(name, target, extracted):
    dataset = read_dataset(SHARED / "data" / name)
    source = feature_source(execution=Execution(cache=extracted))
    table = load_table(dataset, source, max_failures="0")
    assert len(table.y) == len(dataset.images)  # the JPEG without an ending and the PNG, too
    fitted = fit_head(find_head("logreg"), table, 0)
    assert fitted.evaluation["n"] == 272
    assert fitted.evaluation["accuracy"] >= target

    rows = table.split.evaluation[:64]
    model = Model("logreg", fitted.estimator, table.classes, source.spec, "imagenet", {})
    pixels = np.stack(
        [decode(table.paths[row].read_bytes(), resize=source.spec.resize) for row in rows]
    )
    whole = build_graph(model, source.weights).run(pixels)["probabilities"].numpy()
    assert np.abs(whole - fitted.probabilities[:64]).max() < 1e-4


@pytest.mark.parametrize(
    ("known", "unknown"), [("monkeys10", "flowers17"), ("flowers17", "monkeys10")]
)
def test_strangers_are_left_to_a_person_and_the_known_classes_are_not(known, unknown, extracted):
    source = feature_source(execution=Execution(cache=extracted))
    table, strange = (
        load_table(read_dataset(SHARED / "data" / name), source) for name in (known, unknown)
    )
    fitted = fit_head(find_head("logreg"), table, 0)
    threshold = fitted.abstainer.threshold(0.95)

    def labelled(X, probabilities):
        return fitted.abstainer.judge(X, probabilities) >= threshold

    rows = table.split.evaluation
    passed = labelled(table.X[rows], fitted.probabilities)
    right = fitted.probabilities.argmax(axis=1) == table.y[rows]
    assert 0.92 <= passed.mean() <= 0.98
    assert right[passed].mean() > right.mean()
    assert labelled(strange.X, fitted.estimator.predict_proba(strange.X)).mean() < 0.02


def test_the_learning_curve_of_the_flowers_rises_and_ends_with_fit_heads_accuracy(extracted):
    dataset = read_dataset(SHARED / "data" / "flowers17")
    source = feature_source(execution=Execution(cache=extracted))
    told = learning_curve(dataset, source, "logreg", 2, 0)
    points = {round(point["images_a_class"]): point for point in told["points"]}
    assert list(points) == [2, 4, 8, 16, 32, 64]
    accuracies = [point["accuracy"] for point in points.values()]
    assert accuracies[:4] == sorted(accuracies[:4])  # later steps are a few images
    assert min(accuracies[4:]) > accuracies[3]
    fitted = fit_head(find_head("logreg"), load_table(dataset, source), 0)
    one_image = 1 / fitted.evaluation["n"]
    assert points[64]["accuracy"] == pytest.approx(fitted.evaluation["accuracy"], abs=one_image)
    assert points[64]["ci95"] == pytest.approx(fitted.evaluation["ci95"], abs=one_image)
    check = told["extrapolation"]["check"]
    assert abs(check["predicted"] - check["observed"]) < 0.02


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_fine_tuning_vgg16_on_flowers_beats_the_head_that_it_starts_from(tmp_path):
    dataset = read_dataset(SHARED / "data" / "flowers17")
    weights = str(SHARED / "weights" / "vgg16_notop.weights.h5")
    recipe = Recipe("vgg16", weights)
    source = feature_source(recipe, Execution(cache=tmp_path / "cache"))
    table = load_table(dataset, source)
    result = fine_tune_dataset(table, source, FineTuneSettings(unfreeze=("block5",)))
    assert result.head.evaluation["accuracy"] >= 0.87
    assert result.evaluation["accuracy"] >= 0.935
    assert result.evaluation["accuracy"] > result.head.evaluation["accuracy"]
    assert result.best.epoch > 0


@pytest.mark.slow
def test_fine_tuning_mobilenet_on_monkeys_loses_at_most_two_images(tmp_path):
    source = feature_source(execution=Execution(cache=tmp_path))
    table = load_table(read_dataset(SHARED / "data" / "monkeys10"), source)
    result = fine_tune_dataset(table, source, FineTuneSettings())
    assert result.evaluation["accuracy"] >= result.head.evaluation["accuracy"] - 2 / 272 - 1e-9


def test_both_engines_agree_on_256_photographs(tmp_path):
    paths = [image.path for image in read_dataset(SHARED / "data" / "monkeys10").images][::5][:256]
    pixels = np.stack([decode(path.read_bytes()) for path in paths])
    source = feature_source(execution=Execution(cache=tmp_path))
    onnx = source.engine()
    reference = TensorFlowEngine(source.spec, source.weights)
    batches = range(0, 256, 32)
    ours = np.concatenate([onnx(pixels[at : at + 32]) for at in batches])
    theirs = np.concatenate([reference(pixels[at : at + 32]) for at in batches])
    assert onnx.name == "onnxruntime"
    assert relative_error(ours, theirs) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["monkeys10", "flowers17"])
def test_scaled_decoding_changes_at_most_one_label_in_accuracy(name, tmp_path, monkeypatch):
    dataset = read_dataset(SHARED / "data" / name)
    whole_decode = simplejpeg.decode_jpeg
    accuracies = []
    for way in ("scaled", "whole"):
        if way == "whole":
            monkeypatch.setattr(
                simplejpeg, "decode_jpeg", lambda data, **_: whole_decode(data, strict=True)
            )
        source = feature_source(execution=Execution(cache=tmp_path / way))
        fitted = fit_head(find_head("logreg"), load_table(dataset, source), 0)
        accuracies.append(fitted.evaluation["accuracy"])
    assert abs(accuracies[0] - accuracies[1]) <= 1 / 272 + 1e-9


@pytest.mark.slow
def test_layers_and_views_chosen_on_training_data_reach_the_target_on_monkeys(tmp_path):
    dataset = read_dataset(SHARED / "data" / "monkeys10")
    recipe = Recipe(layers=("auto",), views="original,flip")
    run = fit_heads(
        dataset,
        feature_source(recipe, Execution(cache=tmp_path)),
        HeadSettings(["logreg", "ridge"]),
    )
    best = run.best
    assert best["cv"]["mean"] >= 0.98
    assert best["evaluation"]["accuracy"] >= 0.977


def in_shards(dataset, root, ending, size=300):
    """Write a dataset as shards of some hundred images, named after their splits."""
    for split in dataset.splits:
        images = [image for image in dataset.images if image.split == split]
        for number, low in enumerate(range(0, len(images), size)):
            samples = [(i.path.read_bytes(), i.label) for i in images[low : low + size]]
            WRITERS[ending](root / f"{split}-{number:03}{ending}", samples)
    return root


def figures(dataset, source):
    """Return the features, how many images were extracted, and what a head makes of them."""
    table = load_table(dataset, source, max_failures="0")
    fitted = fit_head(find_head("logreg"), table, 0)
    extracted = table.features.extraction.extracted
    return table.X, extracted, fitted.evaluation["accuracy"], fitted.probabilities


@pytest.mark.slow
@pytest.mark.parametrize("ending", WRITERS)
def test_shards_give_the_features_and_the_accuracy_of_the_folder_and_extract_nothing(
    ending, extracted, tmp_path
):
    folder = read_dataset(SHARED / "data" / "flowers17")
    source = feature_source(execution=Execution(cache=extracted))
    X, _, accuracy, probabilities = figures(folder, source)
    shards = read_dataset(in_shards(folder, tmp_path / "flowers17", ending))
    assert shards.splits == folder.splits
    again, count, same_accuracy, same_probabilities = figures(shards, source)
    assert count == 0
    np.testing.assert_array_equal(again, X)
    assert same_accuracy == accuracy
    np.testing.assert_allclose(same_probabilities, probabilities, atol=1e-6)  # trained again


@pytest.mark.slow
def test_images_and_cache_in_a_bucket_give_the_same_features(extracted, tmp_path):
    folder = read_dataset(SHARED / "data" / "flowers17")
    X, _, accuracy, _ = figures(folder, feature_source(execution=Execution(cache=extracted)))
    with s3_server() as server, server.bucket() as bucket:
        upload(SHARED / "data" / "flowers17", f"{bucket}/flowers17")
        upload(in_shards(folder, tmp_path / "shards", ".tar"), f"{bucket}/shards")
        source = feature_source(execution=Execution(cache=cache_folder(f"{bucket}/cache")))
        for name, count in (("flowers17", len(set(map(tuple, X)))), ("shards", 0)):
            again, now, same_accuracy, _ = figures(read_dataset(f"{bucket}/{name}"), source)
            assert now == count
            assert np.abs(again - X).max() <= 1e-4 * np.abs(X).max()
            assert same_accuracy == pytest.approx(accuracy, abs=1 / 272)  # an image on the edge
