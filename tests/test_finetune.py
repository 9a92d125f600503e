"""Fine-tuning: from the head, with frozen statistics, stopped by images it did not train on."""

import numpy as np
import pytest

from conftest import COLOURS, paint
from headstart.classify.finetune import FineTuneSettings, fine_tune, freeze_boundary, hold_out
from headstart.classify.fit import fit_head, load_table
from headstart.classify.heads import PROBE
from headstart.classify.model import Model, assemble, linear_layer
from headstart.errors import OptionError
from headstart.extract.dataset import read_dataset
from headstart.extract.decode import decode
from headstart.extract.features import FeatureOptions, feature_source, load_features


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """Thirty pictures through the real MobileNet: source, table, fitted probe, boundary maps."""
    root = tmp_path_factory.mktemp("finetune")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "home"))
        for c, (name, colour) in enumerate(COLOURS.items()):
            for number in range(10):
                part = "train" if number < 7 else "validation"
                paint(root / "data" / part / name / f"{number}.png", colour, seed=10 * c + number)
        source = feature_source(FeatureOptions(cache=root / "cache"))
        dataset = read_dataset(root / "data")
        table = load_table(dataset, source)
        boundary = freeze_boundary(source)
        maps = load_features(table.paths, boundary).X
        yield dataset, source, table, fit_head(PROBE, table, 0), boundary, maps


def tuned(job, **settings):
    _, source, table, probe, boundary, maps = job
    train, held = table.split.train, table.split.evaluation
    return fine_tune(
        source,
        boundary,
        maps[train],
        table.y[train],
        (maps[held], table.y[held]),
        linear_layer(probe.estimator),
        FineTuneSettings(**settings),
    )


def test_epoch_0_is_the_head_it_starts_from(job):
    probe = job[3]
    start = tuned(job, epochs=1, learning_rate=1e-9).history[0]
    assert start["val_accuracy"] == pytest.approx(probe.evaluation.accuracy)
    assert start["val_loss"] == pytest.approx(probe.evaluation.log_loss, abs=1e-4)


def test_training_moves_the_block_but_not_its_batch_statistics(job):
    network = tuned(job, epochs=1, learning_rate=1e-3, patience=5).network
    _, source, *_ = job
    from headstart.extract.backbones import find_backbone

    original = find_backbone("mobilenet").load(source.weights)
    moved = {w.path: w for w in network.variables}
    for layer in original.layers:
        for weight in layer.weights:
            match = [w for path, w in moved.items() if path.endswith(weight.path)]
            if "moving_" in weight.path and match:
                np.testing.assert_array_equal(match[0], weight)
    assert any("conv_dw_13" in path for path in moved)


def test_an_absurd_learning_rate_keeps_the_head(job):
    *_, probe, _, maps = job
    table = job[2]
    result = tuned(job, epochs=2, learning_rate=10.0)
    assert result.epochs == 0
    kept = result.predict_proba(maps[table.split.evaluation])
    np.testing.assert_allclose(kept, probe.probabilities, atol=1e-5)


def test_held_out_images_never_share_a_group_with_the_trained_ones():
    y, groups = np.arange(60) % 3, np.arange(60) // 2
    train, held = hold_out(y, groups, 0)
    assert sorted([*train, *held]) == list(range(60))
    assert not set(groups[train]) & set(groups[held])
    assert 4 <= len(held) <= 12


def test_cached_features_and_head_equal_the_assembled_model(job):
    _, source, table, probe, _, _ = job
    model = Model("logreg", probe.estimator, table.classes, source.spec, "imagenet", {})
    pixels = np.stack([decode(p.read_bytes(), resize=source.spec.resize) for p in table.paths])
    whole = assemble(model, source.weights).predict(pixels, verbose=0)
    np.testing.assert_allclose(whole, model.predict_proba(table.X), atol=1e-4)


def test_layers_below_the_block_cannot_be_fine_tuned_through():
    layers = ("conv_pw_11_relu", "conv_pw_13_relu")
    with pytest.raises(OptionError, match="above conv_pw_12_relu, but conv_pw_11_relu lies below"):
        freeze_boundary(feature_source(FeatureOptions(layers=layers)))


def test_the_boundary_is_that_of_the_original_view_alone():
    source = feature_source(FeatureOptions(views="original,flip"))
    assert freeze_boundary(source).spec.views == ("original",)
