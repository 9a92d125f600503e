"""What can be compared: heads and fine-tuned networks, each with its budget and its price."""

import pytest

from headstart.classify.compare.approaches import (
    finetune_approach,
    head_approach,
)
from headstart.classify.data.table import load_table
from headstart.classify.finetune.settings import FineTuneSettings
from headstart.classify.heads.table import HEADS
from headstart.errors import OptionError
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from pictures import paint_splits
from tuning import one_candidate


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """Thirty pictures through the real MobileNet at 96 pixels: source and table."""
    root = tmp_path_factory.mktemp("approaches")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "home"))
        paint_splits(root / "data", train=7, validation=3)
        execution = Execution(cache=root / "cache", engine="tensorflow")
        source = feature_source(Recipe(input_size=96), execution)
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


def test_a_network_tells_its_budget_and_what_each_part_took(job):
    source, table = job
    settings = one_candidate(start=("head", "random"))
    outcome = finetune_approach(settings, source).run(table, source)
    assert (outcome.name, outcome.kind) == ("fine-tuned", "finetune")
    assert outcome.budget["unfrozen"] == "conv_dw_13"
    assert outcome.budget["candidates"] == len(outcome.budget["trials"]) == 2
    assert outcome.budget["held_out_images"] == 3
    assert outcome.chosen_by == outcome.budget["chosen"]["val_accuracy"]
    assert outcome.probabilities.shape == (9, 3)
    assert set(outcome.seconds) == {"selection", "training", "prediction"}
    assert all(value > 0 for value in outcome.seconds.values())


def test_a_random_head_starts_at_guessing(job):
    source, table = job
    losses = []
    for start in ("random", "head"):
        settings = one_candidate(start=(start,), learning_rate=(1e-9,))
        history = finetune_approach(settings, source).run(table, source).history
        losses.append(history[0]["val_loss"])
    assert losses[0] > 1.2 * losses[1], "guessing has 1.1"


def test_from_scratch_nothing_is_pretrained_and_everything_moves(job):
    source, table = job
    settings = one_candidate(start=("scratch",), learning_rate=(1e-3,))
    outcome = finetune_approach(settings, source).run(table, source)
    assert outcome.budget["unfrozen"] == "all"
    assert outcome.trainable_parameters > 3_000_000


def test_a_network_that_diverges_says_so(job):
    source, table = job
    settings = one_candidate(learning_rate=(1.0,), epochs=2)
    outcome = finetune_approach(settings, source).run(table, source)
    assert outcome.warnings[0].startswith("fine-tuned: training diverged, the loss was ")
    assert outcome.budget["epochs_kept"] == 0


def test_a_depth_that_is_not_there_is_refused_before_anything_runs(job):
    with pytest.raises(OptionError, match="unknown block 'block9'"):
        finetune_approach(one_candidate(unfreeze=("block9",)), job[0])


def test_layers_below_the_boundary_are_refused_before_anything_runs():
    low = feature_source(Recipe(layers=("conv_pw_11_relu", "conv_pw_13_relu")))
    with pytest.raises(OptionError, match="conv_pw_11_relu lies below"):
        finetune_approach(FineTuneSettings(), low)
