"""Fine-tuning: from the head, with frozen statistics, stopped by images it did not train on."""

import re

import numpy as np
import pytest

from headstart.classify.data.folds import hold_out
from headstart.classify.data.table import load_table
from headstart.classify.export.graph import build_graph
from headstart.classify.finetune.epoch_choice import judge
from headstart.classify.finetune.finetune import fine_tune_dataset
from headstart.classify.fit.fit_head import fit_head
from headstart.classify.heads.calibration import class_scores
from headstart.classify.heads.fits import open_fits
from headstart.classify.heads.search import fit_calibrated
from headstart.classify.heads.table import PROBE
from headstart.classify.heads.training_rows import training_data
from headstart.classify.saved.head_model import Model
from headstart.classify.saved.load import load_model
from headstart.extract.backbone.backbones import find_backbone
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source
from pictures import decode, paint_splits
from tuning import one_candidate


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """Thirty pictures through the real MobileNet: dataset, source, table."""
    root = tmp_path_factory.mktemp("finetune")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "home"))
        paint_splits(root / "data", train=7, validation=3)
        source = feature_source(execution=Execution(cache=root / "cache", engine="tensorflow"))
        dataset = read_dataset(root / "data")
        yield dataset, source, load_table(dataset, source)


def tuned(job, **settings):
    _, source, table = job
    return fine_tune_dataset(table, source, one_candidate(**settings))


@pytest.fixture(scope="module")
def moved(job):
    """One epoch that helps."""
    return tuned(job, epochs=1)


def test_epoch_0_is_the_head_it_starts_from(job, moved):
    _, _, table = job
    fitting = table.split.fitting
    kept, held = hold_out(table.y[fitting], table.groups[fitting], 0)
    choice = fit_head(PROBE, table, 0).choice
    fits = open_fits(PROBE, training_data(table, fitting[kept], 0))
    head = fit_calibrated(choice, fits).estimator
    scores = class_scores(head.estimator_, table.X[fitting[held]])
    judged = judge(scores, table.y[fitting[held]])
    assert moved.best.history[0]["val_accuracy"] == pytest.approx(judged.accuracy)
    assert moved.best.history[0]["val_loss"] == pytest.approx(judged.loss, abs=1e-4)


def test_training_moves_the_block_but_not_its_batch_statistics(job, moved):
    _, source, _ = job
    original = find_backbone("mobilenet").load(source.weights)
    upper = moved.model.upper
    inner = next(layer for layer in upper.model.layers if hasattr(layer, "layers"))
    for layer in inner.layers:
        for now, before in (
            zip(layer.weights, original.get_layer(layer.name).weights, strict=True)
            if layer.weights
            else ()
        ):
            same = np.array_equal(now, before)
            assert same == ("bn" in layer.name), now.path
    assert set(moved.moved) == {"conv_dw_13", "head"}
    assert min(moved.moved.values()) > 0


def test_batch_norm_that_trains_moves_its_statistics_and_comes_back(job, tmp_path):
    _, source, _ = job
    result = tuned(job, start=("random",), batch_norm=("trained",), learning_rate=(1e-3,))
    original = find_backbone("mobilenet").load(source.weights)
    inner = next(x for x in result.model.upper.model.layers if hasattr(x, "layers"))
    now = inner.get_layer("conv_pw_13_bn").moving_mean.numpy()
    assert not np.allclose(now, original.get_layer("conv_pw_13_bn").moving_mean.numpy())
    result.model.save(tmp_path / "m")
    maps = np.zeros((2, 50_176), np.float32)
    np.testing.assert_allclose(
        load_model(tmp_path / "m").predict_proba(maps), result.model.predict_proba(maps)
    )


def test_an_absurd_learning_rate_keeps_the_head_and_says_so(job):
    result = tuned(job, epochs=2, learning_rate=(1.0,))
    assert re.match(r"the loss was .* epoch \d; guessing has 1.1", result.diverged)
    assert result.best.epoch == 0
    assert set(result.moved.values()) == {0.0}
    assert result.temperature == result.head.estimator.temperature_
    np.testing.assert_allclose(result.probabilities, result.head.probabilities, atol=1e-4)
    np.testing.assert_allclose(result.probabilities.sum(axis=1), 1)


def test_cached_features_and_head_equal_the_assembled_model(job):
    _, source, table = job
    probe = fit_head(PROBE, table, 0)
    model = Model("logreg", probe.estimator, table.classes, source.spec, "imagenet", {})
    pixels = np.stack([decode(p.read_bytes(), resize=source.spec.resize) for p in table.paths])
    whole = build_graph(model, source.weights).run(pixels)["probabilities"].numpy()
    np.testing.assert_allclose(whole, model.predict_proba(table.X), atol=1e-4)
