"""The search: who goes on, what is named as not tried, and that evaluation chooses nothing."""

import functools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from headstart.classify.data.split import Split
from headstart.classify.data.table import load_table
from headstart.classify.finetune import trainer as trainers
from headstart.classify.finetune.budget import Cost
from headstart.classify.finetune.candidates import Candidate
from headstart.classify.finetune.checkpoint import Position
from headstart.classify.finetune.documents import describe_search
from headstart.classify.finetune.finetune import fine_tune_dataset
from headstart.classify.finetune.search import going_on, search
from headstart.classify.finetune.settings import FineTuneSettings
from headstart.classify.network.depths import find_depth
from headstart.errors import DataError
from headstart.extract.backbone.backbones import find_backbone
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from networks import normalised_keras
from pictures import paint_splits

# Keras' own, as it saves on NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

mobilenet = functools.cache(lambda: find_backbone("mobilenet").build())


class Pretended:
    """A trainer whose candidates are as good as their learning rate is near 1e-3."""

    def __init__(self, minutes=600, side=500, diverging=(), **settings):
        self.settings = FineTuneSettings(budget=str(minutes), **settings)
        self.network = mobilenet()
        self.sides = [side]
        self.source = feature_source()
        y = np.arange(120) % 3
        rows = np.arange(90)
        split = Split(rows, rows[:0], np.arange(90, 120), "test")
        self.table = SimpleNamespace(y=y, groups=np.arange(120), split=split, root="data")
        self.trained = []
        self._diverging = diverging

    def depth(self, candidate):
        return find_depth(self.network, candidate.unfreeze)

    def cost(self, candidate):
        return Cost({"conv_dw_13": 1.0, "all": 20.0}.get(candidate.unfreeze, 4.0), 0.0, {})

    def train(self, candidate, epochs, rows, held, head, steps):
        self.trained.append((candidate, epochs, head is not None, steps))
        sure = 1 / (1 + abs(np.log10(candidate.learning_rate) + 3))
        sure += 0.01 * (candidate.augment == "views") - 0.01 * (candidate.start == "head")
        diverged = "the loss was 9" if candidate.learning_rate in self._diverging else None
        logits = np.random.default_rng(0).normal(size=(len(held), 3))
        logits[np.arange(len(held)), self.table.y[held]] += 1
        noise = np.random.default_rng(1).normal(size=logits.shape)
        reached = 0 if diverged else epochs
        position = Position(
            epoch=reached,
            diverged=diverged,
            history=[{"epoch": epoch, "seconds": 1.0} for epoch in range(reached + 1)],
            logits=[logits + (noise * (2 - sure * epoch / 4)) for epoch in range(reached + 1)],
        )
        return position, None


def fitted(rows):
    return np.zeros((4, 3), np.float32), np.zeros(3, np.float32)


def test_the_better_half_goes_on_and_its_views_join():
    trainer = Pretended()
    result = search(trainer, fitted)
    counts = [sum(trial.rung == rung for trial in result.trials) for rung in (0, 1, 2)]
    rows = len({trial.candidate for trial in result.trials if trial.rung == 0})
    assert counts[0] == rows
    assert counts[1] == 2 * ((rows + 1) // 2), "each of the better half, and its views"
    assert counts[2] == counts[1] // 2
    first = [trial for trial in result.trials if trial.rung == 0]
    second = {trial.candidate for trial in result.trials if trial.rung == 1}
    assert min(first, key=lambda trial: trial.judged.loss).candidate in second
    assert result.best.judged.loss == min(trial.judged.loss for trial in result.trials)
    assert {steps for *_, steps in trainer.trained} == {3}


def test_no_depth_is_given_up_after_the_first_round():
    ranked = [
        Candidate(*row, "trained", 1e-3)
        for row in [("1", "head"), ("1", "random"), ("1", "x"), ("2", "head"), ("all", "head")]
    ]
    assert going_on(ranked, 0) == [ranked[0], ranked[3], ranked[4]]
    assert going_on(ranked, 1) == ranked[:3]
    assert going_on(ranked[:3], 0) == ranked[:2]


def test_deeper_ones_are_tried_only_if_the_budget_bears_them_and_are_named():
    result = search(Pretended(minutes=1), fitted)
    assert {trial.candidate.unfreeze for trial in result.trials} == {"conv_dw_13"}
    assert {"all", "conv_dw_7"} <= {candidate.unfreeze for candidate, _ in result.not_tried}
    record = result.describe(FineTuneSettings(budget="1"))
    assert any(row["unfreeze"] == "all" for row in record["not_tried"])
    assert "not tried within --budget 1: " in describe_search(record)[1]


def test_only_a_fitted_head_is_started_from_where_that_is_meant():
    trainer = Pretended()
    search(trainer, fitted)
    assert all((row.start == "head") == with_head for row, _, with_head, _ in trainer.trained)


@pytest.mark.parametrize(("side", "size"), [(8, 96), (100, 96), (120, 128), (224, 0), (500, 0)])
def test_whole_networks_see_small_images_at_their_own_size(side, size):
    trainer = Pretended(side=side)
    search(trainer, fitted)
    sizes = {row.unfreeze == "all" and row.start: row.input_size for row, *_ in trainer.trained}
    assert sizes["random"] == size
    assert sizes["head"] == sizes[False] == 0


def test_one_candidate_is_trained_once():
    named = {"unfreeze": ("1",), "start": ("random",), "batch_norm": ("trained",)}
    trainer = Pretended(**named, learning_rate=(1e-3,), augment=("none",), layer_decay=1.0)
    result = search(trainer, fitted)
    assert [epochs for _, epochs, *_ in trainer.trained] == [30]
    assert (result.candidates, result.epochs) == (1, 30)


def test_what_diverges_is_never_chosen_over_what_learns():
    result = search(Pretended(diverging=(3e-3, 1e-3)), fitted)
    assert result.best.diverged is None
    assert any(trial.diverged for trial in result.trials)


def test_classes_that_can_spare_no_image_are_refused():
    trainer = Pretended()
    trainer.table.split = replace(trainer.table.split, train=np.arange(6))
    with pytest.raises(DataError, match="no class can spare an image"):
        search(trainer, fitted)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Thirty pictures through a small network with batch norm: where, source, table."""
    root = tmp_path_factory.mktemp("search")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "home"))
        paint_splits(root / "data", train=7, validation=3)
        options = Execution(cache=root / "cache", engine="tensorflow")
        source = feature_source(Recipe(str(normalised_keras(root / "small.keras"))), options)
        return root, source, load_table(read_dataset(root / "data"), source)


@pytest.fixture
def job(made, monkeypatch):
    """Source and table, in the home that knows where the network's file is."""
    root, source, table = made
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "home"))
    return source, table


SMALL = {"unfreeze": ("1",), "learning_rate": (1e-3,), "augment": ("none",), "epochs": 3}


def test_labels_of_the_evaluation_split_choose_nothing(job):
    source, table = job
    spoilt = table.y.copy()
    spoilt[table.split.evaluation] = (spoilt[table.split.evaluation] + 1) % 3
    plain, other = (
        fine_tune_dataset(some, source, FineTuneSettings(**SMALL))
        for some in (table, replace(table, y=spoilt))
    )
    assert [trial.judged for trial in plain.search.trials] == [
        trial.judged for trial in other.search.trials
    ]
    assert plain.best.candidate == other.best.candidate
    assert plain.temperature == other.temperature
    for one, same in zip(plain.model.arrays, other.model.arrays, strict=True):
        np.testing.assert_array_equal(one, same)
    assert plain.evaluation["accuracy"] != other.evaluation["accuracy"]


def test_the_winner_has_seen_all_training_images(job, monkeypatch):
    source, table = job
    seen = []
    really = trainers.train

    def counted(upper, examples, *rest):
        seen.append((len(examples.y), examples.held is not None))
        return really(upper, examples, *rest)

    monkeypatch.setattr(trainers, "train", counted)
    result = fine_tune_dataset(table, source, FineTuneSettings(**SMALL))
    assert seen[-1] == (len(table.split.fitting), False)
    assert all(held and count < len(table.split.fitting) for count, held in seen[:-1])
    assert result.training_images == len(table.split.fitting)


def test_a_search_that_was_killed_goes_on_and_ends_with_the_same_choice(job, monkeypatch):
    source, table = job
    settings = FineTuneSettings(**SMALL, resume=True)
    whole = fine_tune_dataset(table, source, settings)
    really = trainers.train
    calls = []

    def killed(upper, examples, pace, position, until, save, *rest):
        calls.append(until)

        def save_and_die(position):
            position.history[-1]["seconds"] = 1000.0
            save(position)
            if len(calls) == 2:
                raise KeyboardInterrupt

        return really(upper, examples, pace, position, until, save_and_die, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(trainers, "train", killed)
        with pytest.raises(KeyboardInterrupt):
            fine_tune_dataset(table, source, settings)

    begun = []

    def counted(upper, examples, pace, position, *rest):
        begun.append(position.epoch)
        return really(upper, examples, pace, position, *rest)

    monkeypatch.setattr(trainers, "train", counted)
    resumed = fine_tune_dataset(table, source, settings)
    assert begun[:3] == [2, 1, 0], "the first was done, the second in its first epoch"
    assert resumed.seconds["search"] > 2000.0, "what the killed run had spent counts, too"
    assert resumed.best.candidate == whole.best.candidate
    assert resumed.best.epoch == whole.best.epoch
    assert [trial.judged.loss for trial in resumed.search.trials] == pytest.approx(
        [trial.judged.loss for trial in whole.search.trials], rel=1e-4
    )
    np.testing.assert_allclose(resumed.probabilities, whole.probabilities, atol=1e-4)
    assert not list(source.cache.glob("checkpoints/*"))
