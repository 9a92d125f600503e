"""What can be compared: heads and fine-tuned networks, each with its budget and its price."""

from types import SimpleNamespace

import numpy as np
import pytest

from headstart.classify.compare.approaches import (
    finetune_approach,
    finetune_candidates,
    head_approach,
)
from headstart.classify.data.table import load_table
from headstart.classify.finetune.finetune import FineTuneSettings
from headstart.classify.heads.table import HEADS
from headstart.errors import OptionError
from headstart.extract.images.dataset import read_dataset
from headstart.extract.source import FeatureOptions, feature_source
from pictures import COLOURS, paint


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """Thirty pictures through the real MobileNet: source and table."""
    root = tmp_path_factory.mktemp("approaches")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "home"))
        for c, (name, colour) in enumerate(COLOURS.items()):
            for number in range(10):
                part = "train" if number < 7 else "validation"
                paint(root / "data" / part / name / f"{number}.png", colour, seed=10 * c + number)
        source = feature_source(FeatureOptions(cache=root / "cache"))
        yield source, load_table(read_dataset(root / "data"), source)


def test_a_head_tells_its_budget_and_what_each_part_took(job):
    source, table = job
    outcome = head_approach(HEADS["ridge"], 0).run(table, source)
    assert (outcome.name, outcome.kind) == ("ridge", "transfer")
    assert outcome.probabilities.shape == (9, 3)
    assert set(outcome.seconds) == {"selection", "training", "prediction"}
    assert outcome.budget["folds"] == 5
    assert outcome.chosen_by == outcome.budget["cv_accuracy"]
    assert outcome.model_bytes > source.weights.stat().st_size


def test_a_changed_row_of_the_table_is_another_approach():
    from dataclasses import replace

    before = head_approach(HEADS["ridge"], 0).settings
    assert head_approach(HEADS["ridge"], 1).settings != before
    wider = replace(HEADS["ridge"], path={"head__alpha": [1.0, 2.0]})
    assert head_approach(wider, 0).settings != before


def test_the_learning_rate_is_chosen_on_held_out_images(job, monkeypatch):
    losses = {1e-5: [0.5, 0.4], 1e-4: [0.5, 0.2, 0.3], 1e-3: [0.5, 9.0]}

    def pretend(table, source, settings):
        epochs = [{"val_loss": loss, "seconds": 2.0} for loss in losses[settings.learning_rate]]
        return SimpleNamespace(
            head=SimpleNamespace(seconds=1.0),
            history=epochs,
            probabilities=np.full((9, 3), settings.learning_rate),
            seconds=10.0,
            boundary={"dimension": 4},
            model=SimpleNamespace(predict_proba=len),
            diverged="the loss was 9" if settings.learning_rate == 1e-3 else None,
            **dict.fromkeys(("epochs", "training_images", "held_out_images"), 1),
            **dict.fromkeys(("trainable_parameters", "chosen_by"), 1),
            unfreeze=["block"],
        )

    monkeypatch.setattr("headstart.classify.compare.approaches.fine_tune_dataset", pretend)
    source, table = job
    candidates = finetune_candidates([], ["head"], list(losses), epochs=2)[0]
    outcome = finetune_approach(candidates, source).run(table, source)
    assert outcome.budget["learning_rate"] == 1e-4
    assert outcome.probabilities[0, 0] == 1e-4
    assert outcome.budget["learning_rates"] == [1e-5, 1e-4, 1e-3]
    assert outcome.budget["epochs_run"] == 4
    assert outcome.seconds["selection"] == 3.0
    assert outcome.seconds["training"] == 14.0, "all that was tried counts"
    assert outcome.seconds["activations"] == pytest.approx(16.0, abs=0.1)
    assert outcome.warnings == ["fine-tuned from the last block: training diverged, the loss was 9"]


def test_a_network_tells_its_budget_and_what_each_part_took(job):
    source, table = job
    candidates = finetune_candidates([], ["head"], [1e-4], epochs=1)[0]
    outcome = finetune_approach(candidates, source).run(table, source)
    assert (outcome.name, outcome.kind) == ("fine-tuned from the last block", "finetune")
    assert outcome.budget["unfrozen"] == "conv_dw_13"
    assert outcome.budget["training_images"] + outcome.budget["held_out_images"] == 21
    assert outcome.probabilities.shape == (9, 3)
    assert all(value >= 0 for value in outcome.seconds.values())
    assert outcome.seconds["training"] > 0 < outcome.seconds["prediction"]


def test_a_random_head_starts_at_guessing(job):
    source, table = job
    candidates = finetune_candidates([], ["random"], [1e-9], epochs=1)[0]
    outcome = finetune_approach(candidates, source).run(table, source)
    assert outcome.name == "fine-tuned from the last block, random head"
    start = outcome.history[0]["val_loss"]
    fitted = finetune_candidates([], ["head"], [1e-9], epochs=1)[0]
    from_head = finetune_approach(fitted, source).run(table, source).history[0]["val_loss"]
    assert start > 1.2 * from_head, "guessing has 1.1"


def test_from_scratch_nothing_is_pretrained_and_everything_moves(job):
    source, table = job
    candidates = finetune_candidates(["conv_dw_13"], ["scratch"], [1e-3], epochs=1)[0]
    assert candidates[0].unfreeze == ("all",)
    outcome = finetune_approach(candidates, source).run(table, source)
    assert outcome.name == "fine-tuned from all, random weights"
    assert outcome.trainable_parameters > 3_000_000


def test_each_depth_and_start_is_a_network_of_its_own():
    plans = finetune_candidates(["1", "2"], ["head", "random", "scratch"], [], epochs=3)
    assert [(one[0].start, one[0].unfreeze) for one in plans] == [
        ("head", ("1",)),
        ("head", ("2",)),
        ("random", ("1",)),
        ("random", ("2",)),
        ("scratch", ("all",)),
    ]
    assert {one.epochs for plan in plans for one in plan} == {3}


def test_a_depth_that_is_not_there_is_refused_before_anything_runs(job):
    with pytest.raises(OptionError, match="unknown block 'block9'"):
        finetune_approach([FineTuneSettings(unfreeze=("block9",))], job[0])


def test_what_cannot_be_started_from_is_told():
    with pytest.raises(OptionError, match="unknown start 'heat'; did you mean 'head'"):
        finetune_candidates([], ["heat"], [])


def test_layers_below_the_boundary_are_refused_before_anything_runs():
    low = feature_source(FeatureOptions(layers=("conv_pw_11_relu", "conv_pw_13_relu")))
    with pytest.raises(OptionError, match="conv_pw_11_relu lies below"):
        finetune_approach([FineTuneSettings()], low)
