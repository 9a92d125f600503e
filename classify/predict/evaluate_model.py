"""A saved classifier on labelled images: figures, confusion, mistakes."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import DataError, unknown
from ...extract.failures import check_failures, check_limit
from ...extract.images.images import Dataset, Image
from ...extract.images.names import SPLITS
from ...extract.recipe import Execution
from ...text import shown
from ..data.class_map import ClassMap, map_classes
from ..saved.load import SavedModel
from .evaluation_record import (
    EvaluateDocument,
    describe_abstaining,
    find_mistakes,
    find_seen_in_training,
    measure,
)
from .labelled import Labelled, label_dataset
from .model_source import abstainer_of

ALL = "all"
NAMES = {**SPLITS, ALL: ALL}  # what --split takes, as folders spell it


@dataclass(frozen=True)
class EvaluationRun:
    """What ``evaluate`` gives."""

    record: EvaluateDocument  # the contract
    warnings: list[str]  # what is worth telling
    labelled: Labelled  # the images, and what the model says of them


def evaluate_model(
    model: SavedModel,
    dataset: Dataset,
    execution: Execution,
    split: str | None = None,
    class_map: ClassMap | None = None,
    abstain: float | None = None,
    seed: int = 0,
    max_failures: str | None = None,
) -> EvaluationRun:
    """Run ``evaluate``: label the images, compare with their labels.

    Parameters
    ----------
    model : Model or TunedModel
        From :func:`headstart.classify.saved.load.load_model`.
    dataset : Dataset
        With labels.
    execution : Execution
        Where the cache is and how to run; what is extracted is the model's.
    split : str, optional
        ``"train"``, ``"validation"``, ``"test"`` or ``"all"``; test where the dataset has it,
        else validation, else all when None.
    class_map : dict, optional
        From :func:`headstart.classify.data.class_map.read_class_map`.
    abstain : float, optional
        Share of images like the training images to label, over 0 and up to 1; adds what
        abstention would have meant here.
    seed : int
        Seeds the resampling of the intervals.
    max_failures : str, optional
        See :func:`headstart.extract.failures.check_failures`.

    Raises
    ------
    DataError
        If the dataset lacks the split, has classes that the model does not know, or too many
        images failed.
    ModelError
        If the backbone's weights here are not those of training, or the model cannot abstain.
    OptionError
        If the split is unknown, or the map leads to no class of the model.
    """
    check_limit(max_failures)
    abstainer = None if abstain is None else abstainer_of(model)
    threshold = None if abstainer is None else abstainer.threshold(abstain or 0.0)
    name, chosen = pick_images(dataset, split)
    mapped = map_classes(chosen, model.classes, class_map or {}, shown(dataset.root))
    labelled = label_dataset(model, mapped.images, execution, judging=abstain is not None)
    check_failures(labelled.failures, len(mapped.images), max_failures)
    seen, remarks = find_seen_in_training(model.trained_on, labelled, name)
    measured = measure(labelled, model.classes, name, seed)
    record: EvaluateDocument = {
        "version": 1,
        "model": model.name,
        "data": {
            "path": shown(dataset.root),
            "split": name,
            "splits": dataset.splits,
            "images": len(mapped.images),
            "left_out": mapped.left_out,
            "class_map": class_map or {},
        },
        "evaluation": measured["evaluation"],
        "figures": measured["figures"],
        "classes": measured["classes"],
        "per_class": measured["per_class"],
        "confusion": measured["confusion"],
        "most_confused": measured["most_confused"],
        "failed": measured["failed"],
        "mistakes": find_mistakes(labelled, model.classes, threshold),
        "seen_in_training": seen,
        "seed": seed,
    }
    if abstainer is not None and abstain is not None:
        record["abstention"] = describe_abstaining(labelled, abstainer, abstain)
    return EvaluationRun(
        record, [*dataset.warnings, *mapped.warnings, *labelled.warnings, *remarks], labelled
    )


def pick_images(dataset: Dataset, split: str | None) -> tuple[str, list[Image]]:
    """Return the name of the split and its images.

    A labelled folder of new images needs no splits: all of it evaluates.

    Raises
    ------
    DataError
        If the dataset does not have the split.
    OptionError
        If there is no such split.
    """
    if split is None:
        split = next((name for name in ("test", "validation") if name in dataset.splits), ALL)
    if split not in NAMES:
        raise unknown("split", split, list(NAMES))
    split = NAMES[split]
    chosen = [image for image in dataset.images if split in {ALL, image.split}]
    if not chosen:
        has = ", ".join(dataset.splits) or "no splits"
        raise DataError(
            f"{shown(dataset.root)} has no {split} split; it has {has}: --split all takes every "
            "image"
        )
    return split, chosen
