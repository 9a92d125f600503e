"""What a search writes into a record, typed, and the same in words."""

from __future__ import annotations

from typing import TypedDict

from ...text import shown


class CandidateDocument(TypedDict):
    """A candidate, as a record has it."""

    unfreeze: str
    start: str
    batch_norm: str
    learning_rate: float
    layer_decay: float
    augment: str
    input_size: int


class TrialDocument(CandidateDocument):
    """What a candidate came to in one round, as a record has it."""

    rung: int
    epochs: int
    epoch: int
    val_loss: float
    val_accuracy: float
    seconds: float


class NotTriedDocument(CandidateDocument):
    """What a budget did not bear, and the minutes that it would have taken."""

    minutes: float


class SearchDocument(TypedDict):
    """What was tried and what was not: ``search`` of ``fit finetune``, ``budget`` of ``compare``."""

    budget: str
    minutes: float
    candidates: int
    chosen: TrialDocument
    unfrozen: str
    epochs_run: int
    epochs_kept: int
    held_out_images: int
    trials: list[TrialDocument]
    not_tried: list[NotTriedDocument]


def in_words(trial: TrialDocument) -> str:
    """Say a trial's record in words."""
    size = f", {trial['input_size']} pixels" if trial["input_size"] else ""
    return (
        f"from {shown(trial['unfreeze'])}, start {trial['start']}, batch norm "
        f"{trial['batch_norm']}, learning rate {trial['learning_rate']:g}, augmentation "
        f"{trial['augment']}{size}; {trial['epoch']} of {trial['epochs']} epochs"
    )


def describe_search(record: SearchDocument) -> list[str]:
    """Say a search's record in words, a line each."""
    chosen = record["chosen"]
    line = f"chosen among {record['candidates']} candidates by log loss on "
    line += f"{record['held_out_images']} training images held out: {in_words(chosen)}"
    lines = [line]
    deeper = sorted({row["unfreeze"] for row in record["not_tried"]} - {chosen["unfreeze"]})
    if record["not_tried"]:
        least = min(row["minutes"] for row in record["not_tried"])
        lines.append(
            f"not tried within --budget {record['budget']}: {len(record['not_tried'])} candidates"
            f"{', from ' + ', '.join(deeper) if deeper else ''}; the cheapest would take "
            f"{least:g} min more"
        )
    return lines
