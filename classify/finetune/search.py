"""Successive halving over the table of candidates, on images held out of training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import DataError
from ...text import shown
from ..data.folds import hold_out
from .budget import LEAST_CANDIDATES, Cost, costs_last, half, share_of_epochs, within
from .candidates import AUGMENTED, Candidate
from .documents import SearchDocument, TrialDocument
from .eligible import affordable, at_each_size, find_candidates
from .epoch_choice import Judged, choose_epoch, judge
from .settings import FineTuneSettings
from .trainer import Linear, Rows, Trainer


@dataclass(frozen=True)
class Trial:
    """What a candidate came to in one round.

    Parameters
    ----------
    candidate : Candidate
        What was trained.
    rung : int
        The round, from 0.
    epochs : int
        That it was trained for.
    epoch : int
        The best of them, from 0: none.
    judged : Judged
        How good that was on held-out images.
    steps : int
        Of an epoch.
    history : list of dict
        An entry an epoch, from 0.
    seconds : float
        Wall time of its epochs.
    diverged : str or None
        What went wrong, where it was stopped for it.
    """

    candidate: Candidate
    rung: int
    epochs: int
    epoch: int
    judged: Judged
    steps: int
    history: list[dict[str, Any]]
    seconds: float
    diverged: str | None

    def describe(self) -> TrialDocument:
        """Return it for the record."""
        return {
            **self.candidate.describe(),
            "rung": self.rung,
            "epochs": self.epochs,
            "epoch": self.epoch,
            "val_loss": self.judged.loss,
            "val_accuracy": self.judged.accuracy,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Search:
    """What was tried, and what was not.

    Parameters
    ----------
    trials : list of Trial
        In the order in which they ran.
    not_tried : list of (Candidate, float)
        What the budget did not bear, with the minutes that it would have taken.
    held_out : int
        Images that judged each of them.
    epochs : int
        Of the last round.
    """

    trials: list[Trial]
    not_tried: list[tuple[Candidate, float]]
    held_out: int
    epochs: int

    @property
    def best(self) -> Trial:
        """The trial with the least held-out loss, the earliest of equals."""
        return min(self.trials, key=lambda trial: trial.judged.loss)

    def describe(self, settings: FineTuneSettings) -> SearchDocument:
        """Return the search for the record."""
        best, level = self.best, settings.level()
        return {
            "budget": level.name,
            "minutes": level.minutes,
            "candidates": self.candidates,
            "unfrozen": best.candidate.unfreeze,
            "chosen": best.describe(),
            "epochs_run": sum(len(trial.history) - 1 for trial in self.trials),
            "epochs_kept": best.epoch,
            "held_out_images": self.held_out,
            "trials": [trial.describe() for trial in self.trials],
            "not_tried": [
                {**candidate.describe(), "minutes": round(minutes, 1)}
                for candidate, minutes in self.not_tried
            ],
        }

    @property
    def candidates(self) -> int:
        """How many different ones were tried."""
        return len({trial.candidate for trial in self.trials})


def search(trainer: Trainer, heads: Callable[[Rows], Linear]) -> Search:
    """Train all candidates for a few epochs; the better half goes on, with views beside it.

    Parameters
    ----------
    trainer : Trainer
        Of the table and its settings.
    heads : callable
        Positions among the training rows to the linear head that is fitted on them.

    Raises
    ------
    DataError
        If no class can spare an image.
    OptionError
        If a depth that was named cannot be.
    """
    settings = trainer.settings
    level, cost = settings.level(), trainer.cost
    folds = _held_out(trainer, settings.folds)
    rows = find_candidates(trainer)
    if settings.epochs is None:
        share = share_of_epochs(len(trainer.table.split.fitting))
        smallest = [at_each_size(row, trainer)[-1] for row in rows[:LEAST_CANDIDATES]]
        level = level.fitted(share, [cost(row) for row in smallest], len(folds))
    seconds = 60 * level.minutes
    first = [row for row in rows[:LEAST_CANDIDATES] if row.unfreeze != "all"]
    rows = [affordable(row, first, trainer, level.rungs, seconds) for row in rows]
    candidates, refused = within(rows, cost, level.rungs, seconds, folds=len(folds))
    trials: list[Trial] = []
    for rung, epochs in enumerate(level.rungs):
        left = level.rungs[rung + 1 :]
        if len(candidates) == 1 and left:
            continue  # there is nothing to choose
        by_depth = sorted(candidates, key=lambda row: (cost(row).epoch, row.augment))
        round_ = [_try(trainer, row, rung, epochs, folds, heads) for row in by_depth]
        trials += round_
        seconds -= sum(_spent(cost(row), epochs, len(folds)) for row in candidates)
        ranked = sorted(round_, key=lambda trial: trial.judged.loss)
        candidates = going_on([trial.candidate for trial in ranked], rung)
        if rung == 0 and left and not settings.augment:
            twins = [replace(row, augment=AUGMENTED) for row in candidates]
            candidates, beyond = within(
                twins, cost, left, seconds, standing=candidates, folds=len(folds)
            )
            refused += beyond
    last = level.rungs[-1]
    minutes = [(row, _alone(cost(row), last, len(folds)) / 60) for row in refused]
    held_out = len(np.unique(np.concatenate([held for _, held in folds])))
    return Search(trials, minutes, held_out, last)


def going_on(ranked: Sequence[Candidate], rung: int) -> list[Candidate]:
    """Return the better half, best first; after the first round with the best of each depth.

    The more is moved the slower it begins: a whole network that ends far ahead can be
    behind after two epochs.
    """
    leaders = {candidate.unfreeze: candidate for candidate in reversed(ranked)}.values()
    first = [row for row in ranked if row in leaders] if rung == 0 else []
    rest = [row for row in ranked if row not in first]
    kept = [*first, *rest][: max(half(len(ranked)), len(first))]
    return [row for row in ranked if row in kept]


def _held_out(trainer: Trainer, count: int) -> list[tuple[Rows, Rows]]:
    """Return as many different eighths of the training rows, and the rest of each."""
    table = trainer.table
    rows = table.split.fitting
    folds = [
        hold_out(table.y[rows], table.groups[rows], trainer.settings.seed + 1000 * fold)
        for fold in range(count)
    ]
    if not all(len(held) for _, held in folds):
        raise DataError(
            f"{shown(table.root)}: no class can spare an image to choose the number of epochs by: "
            "fine-tuning needs a class of at least 5 training images whose groups are each "
            "at most a quarter of it"
        )
    return folds


def _try(
    trainer: Trainer,
    candidate: Candidate,
    rung: int,
    epochs: int,
    folds: Sequence[tuple[Rows, Rows]],
    heads: Callable[[Rows], Linear],
) -> Trial:
    """Train a candidate on each fold; judge all held-out images together, epoch by epoch."""
    steps = -(-len(folds[0][0]) // trainer.settings.batch_size)
    positions = []
    for rows, held in folds:
        head = heads(rows) if candidate.start == "head" else None
        position, _ = trainer.train(candidate, epochs, rows, held, head, steps=steps)
        positions.append(position)
    reached = min(len(position.logits) for position in positions)
    y = trainer.table.y[trainer.table.split.fitting]
    truth = np.concatenate([y[held] for _, held in folds])
    judged = [
        judge(np.concatenate([position.logits[epoch] for position in positions]), truth)
        for epoch in range(reached)
    ]
    epoch = choose_epoch(judged)
    return Trial(
        candidate,
        rung,
        epochs,
        epoch,
        judged[epoch],
        steps,
        positions[0].history,
        sum(position.seconds for position in positions),
        next((p.diverged for p in positions if p.diverged is not None), None),
    )


def _spent(cost: Cost, epochs: int, folds: int) -> float:
    return folds * (cost.begin + epochs * cost.epoch)


def _alone(cost: Cost, epochs: int, folds: int) -> float:
    return sum(cost.once.values()) + _spent(cost, epochs, folds) + costs_last([cost], epochs)
