"""Fine-tuning: from the head, with frozen statistics, stopped by images it did not train on."""

import re

import numpy as np
import pytest

from conftest import COLOURS, paint
from headstart.classify.compare import Approach, compare, verdict
from headstart.classify.evaluate import Evaluation, evaluate, paired_test
from headstart.classify.finetune import FineTuneSettings, fine_tune_dataset, hold_out
from headstart.classify.fit import fit_head, load_table
from headstart.classify.heads import PROBE
from headstart.classify.model import Model, assemble
from headstart.classify.report import render, write_report
from headstart.classify.resources import Cost
from headstart.classify.select import fit_calibrated
from headstart.errors import DataError
from headstart.extract.backbones import find_backbone
from headstart.extract.dataset import read_dataset
from headstart.extract.decode import decode
from headstart.extract.features import FeatureOptions, feature_source


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """Thirty pictures through the real MobileNet: dataset, source, table."""
    root = tmp_path_factory.mktemp("finetune")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "home"))
        for c, (name, colour) in enumerate(COLOURS.items()):
            for number in range(10):
                part = "train" if number < 7 else "validation"
                paint(root / "data" / part / name / f"{number}.png", colour, seed=10 * c + number)
        source = feature_source(FeatureOptions(cache=root / "cache", engine="tensorflow"))
        dataset = read_dataset(root / "data")
        yield dataset, source, load_table(dataset, source)


def tuned(job, **settings):
    _, source, table = job
    return fine_tune_dataset(table, source, FineTuneSettings(**settings), silent)


@pytest.fixture(scope="module")
def moved(job):
    """One epoch that helps."""
    return tuned(job, epochs=1)


def test_epoch_0_is_the_head_it_starts_from(job, moved):
    _, _, table = job
    fitting = table.split.fitting
    kept, held = hold_out(table.y[fitting], table.groups[fitting], 0)
    choice = fit_head(PROBE, table, 0).choice
    head = fit_calibrated(choice, table.training(fitting[kept], 0)).estimator
    told = evaluate(table.y[fitting[held]], head.predict_proba(table.X[fitting[held]]), "held out")
    assert moved.history[0]["val_accuracy"] == pytest.approx(told.accuracy)
    assert moved.history[0]["val_loss"] == pytest.approx(told.log_loss, abs=1e-4)


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


def test_an_absurd_learning_rate_keeps_the_head_and_says_so(job):
    result = tuned(job, epochs=2, learning_rate=1.0)
    assert re.match(r"the loss was .* epoch \d; guessing has 1.1", result.diverged)
    assert result.epochs == 0
    assert set(result.moved.values()) == {0.0}
    assert result.temperature == 1.0
    np.testing.assert_allclose(result.probabilities.sum(axis=1), 1)


def test_held_out_images_never_share_a_group_with_the_trained_ones():
    y, groups = np.arange(60) % 3, np.arange(60) // 2
    train, held = hold_out(y, groups, 0)
    assert sorted([*train, *held]) == list(range(60))
    assert not set(groups[train]) & set(groups[held])
    assert 4 <= len(held) <= 12


def test_cached_features_and_head_equal_the_assembled_model(job):
    _, source, table = job
    probe = fit_head(PROBE, table, 0)
    model = Model("logreg", probe.estimator, table.classes, source.spec, "imagenet", {})
    pixels = np.stack([decode(p.read_bytes(), resize=source.spec.resize) for p in table.paths])
    whole = assemble(model, source.weights).predict(pixels, verbose=0)
    np.testing.assert_allclose(whole, model.predict_proba(table.X), atol=1e-4)


def test_the_comparison_is_the_same_again_but_for_times(job):
    dataset, source, _ = job

    def once():
        results = compare(dataset, source, ["ridge", "knn"], FineTuneSettings(epochs=1), silent)
        for approach in results["approaches"]:
            for key in ("seconds", "peak_memory_mb"):
                approach.pop(key)
            approach["budget"].pop("training_seconds", None)
            for epoch in approach["budget"].get("history", []):
                epoch.pop("seconds", None)
        results["features"].pop("seconds")
        results.pop("verdict")  # names the seconds
        return results

    first = once()
    assert first == once()
    assert [a["name"] for a in first["approaches"]] == [
        "knn",
        "ridge",
        "fine-tuned from conv_dw_13",
    ]
    assert first["dataset"]["evaluation"] == 9


def silent(name):
    return lambda done, total, note="": None


def approach(name, kind, right, seconds):
    right = np.array(right)
    share = float(right.mean())
    figures = Evaluation("validation", len(right), share, (0.0, 1.0), share, 0.1, 0.0)
    return Approach(name, kind, share, figures, right, Cost(seconds, 100.0), 10, {})


@pytest.mark.parametrize(
    ("only_head", "only_tuned", "begins", "holds"),
    [
        (2, 30, "Fine-tuning wins: tuned over logreg", "difference +10.3 points"),
        (30, 2, "The head wins: logreg over tuned", "costs less"),
        (5, 7, "tuned and logreg cannot be told apart", "on 272 images"),
        (0, 0, "tuned and logreg cannot be told apart", "use logreg"),
    ],
)
def test_the_verdict_follows_from_the_figures(only_head, only_tuned, begins, holds):
    rest = 272 - only_head - only_tuned
    head = approach("logreg", "transfer", [1] * only_head + [0] * only_tuned + [1] * rest, 5)
    net = approach("tuned", "finetune", [0] * only_head + [1] * only_tuned + [1] * rest, 300)
    sentence = verdict(head, net, paired_test(head.right == 1, net.right == 1))
    assert sentence.startswith(begins)
    assert holds in sentence


def results_named(name):
    entry = approach("logreg", "transfer", [1, 0], 1).to_dict()
    return {
        "version": 1,
        "dataset": {
            "path": name,
            "images": 2,
            "classes": [name],
            "training": 1,
            "evaluation": 1,
            "split": "test",
            "failed": 0,
        },
        "approaches": [{**entry, "name": name}],
        "tests": {
            "first": name,
            "second": name,
            **paired_test(np.array([True]), np.array([True])).to_dict(),
        },
        "verdict": f"use {name}",
        "features": {"seconds": 1.0, "extracted": 0, "spec": {"id": "0", "backbone": "mobilenet"}},
        "settings": {"finetune": {"seed": 0, "learning_rate": 1e-5}},
        "headstart": "0",
        "warnings": [name],
    }


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "caf\udce9", "\"'><img src=x>"])
def test_hostile_names_are_text_on_the_page(name):
    page = render(results_named(name))
    assert "<script" not in page
    assert "<img" not in page
    page.encode("utf-8")


def test_a_report_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write the report to"):
        write_report(results_named("x"), tmp_path / "file" / "report")
