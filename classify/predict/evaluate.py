"""A saved classifier on labelled images: figures, confusion, mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, unknown
from ...extract.images.images import Dataset, Image
from ...extract.images.names import SPLITS
from ...extract.pipeline import Extraction, Failure, check_failures
from ...extract.source import FeatureOptions
from ...text import shown
from ..data.class_map import ClassMap, map_classes
from ..heads.abstention import COVERAGES, Abstainer, aurc, coverage_and_risk
from ..saved.head_model import Model
from ..saved.network_model import TunedModel
from ..saved.trained_on import seen_among
from ..statistics.confusion import confusion_matrix, most_confused, per_class
from ..statistics.metrics import evaluate, figures
from ..statistics.sample import Labels
from .predict import abstainer_of, label_images

ALL = "all"
NAMES = {**SPLITS, ALL: ALL}  # what --split takes, as folders spell it


@dataclass(frozen=True)
class EvaluationRun:
    """What ``evaluate`` gives.

    Parameters
    ----------
    record : dict
        The contract.
    warnings : list of str
        What is worth telling.
    """

    record: dict[str, Any]
    warnings: list[str]


@dataclass(frozen=True)
class Labelled:
    """Labelled images with what the classifier says of them.

    Parameters
    ----------
    images : list of Image, length n
        Those that could be read.
    digests : list of bytes, length n
        SHA-256 of each.
    truth : ndarray of int, shape (n,)
        Index of each image's class.
    probabilities : ndarray, shape (n, k), float64
        Predicted for each class.
    usual : ndarray, shape (n,), or None
        How usual each is among the training images; None where it was not asked for.
    failures : list of Failure
        Images that could not be read.
    warnings : list of str
        What went wrong without stopping the run.
    """

    images: list[Image]
    digests: list[bytes]
    truth: Labels
    probabilities: NDArray[np.float64]
    usual: NDArray[np.float64] | None
    failures: list[Failure]
    warnings: list[str]


def evaluate_model(
    model: Model | TunedModel,
    dataset: Dataset,
    options: FeatureOptions,
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
    options : FeatureOptions
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
        See :func:`headstart.extract.pipeline.check_failures`.

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
    abstainer = None if abstain is None else abstainer_of(model)
    threshold = None if abstainer is None else abstainer.threshold(abstain or 0.0)
    name, chosen = pick_images(dataset, split)
    mapped = map_classes(chosen, model.classes, class_map or {}, shown(dataset.root))
    found = label_dataset(model, mapped.images, options, judging=abstain is not None)
    outcome = Extraction([None] * len(mapped.images), failures=found.failures)
    check_failures(outcome, max_failures)
    seen, told = seen_in_training(model, found, name)
    record = {
        "model": model.name,
        "data": {
            "path": shown(dataset.root),
            "split": name,
            "splits": dataset.splits,
            "images": len(mapped.images),
            "left_out": mapped.left_out,
            "class_map": class_map or {},
        },
        **describe(found, model.classes, name, seed),
        "mistakes": mistakes(found, model.classes, threshold),
        "seen_in_training": seen,
        "seed": seed,
    }
    if abstainer is not None and abstain is not None:
        record["abstention"] = describe_abstaining(found, abstainer, abstain)
    return EvaluationRun(record, [*dataset.warnings, *mapped.warnings, *found.warnings, *told])


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


def label_dataset(
    model: Model | TunedModel,
    images: Sequence[Image],
    options: FeatureOptions,
    *,
    judging: bool = False,
) -> Labelled:
    """Label all images whose true classes the model knows."""
    index = {name: at for at, name in enumerate(model.classes)}
    paths = [image.path for image in images]
    blocks = list(label_images(model, paths, options, judging=judging))
    starts = np.cumsum([0, *(len(block.images) for block in blocks)]).tolist()
    kept = [
        images[start + at]
        for start, block in zip(starts, blocks, strict=False)
        for at in block.positions
    ]
    return Labelled(
        images=kept,
        digests=[digest for block in blocks for digest in block.digests],
        truth=np.array([index[image.label] for image in kept], dtype=np.intp),
        probabilities=np.concatenate([block.probabilities for block in blocks]),
        usual=np.concatenate([block.usual for block in blocks]) if judging else None,
        failures=[failure for block in blocks for failure in block.failures],
        warnings=list(dict.fromkeys(line for block in blocks for line in block.warnings)),
    )


def describe(found: Labelled, classes: list[str], split: str, seed: int) -> dict[str, Any]:
    """Return the part of the record that figures, classes and failures make."""
    predicted = found.probabilities.argmax(axis=1)
    matrix = confusion_matrix(found.truth, predicted, len(classes))
    measured = figures(found.truth, found.probabilities, seed)
    return {
        "evaluation": evaluate(found.truth, found.probabilities, split).to_dict(),
        "figures": {key: figure.to_dict() for key, figure in measured.items()},
        "classes": classes,
        "per_class": per_class(matrix, classes),
        "confusion": matrix.tolist(),
        "most_confused": most_confused(matrix, classes),
        "failed": [{"path": shown(f.path), "reason": f.reason} for f in found.failures],
    }


def mistakes(found: Labelled, classes: list[str], threshold: float | None) -> list[dict[str, Any]]:
    """Return the images labelled wrong, those that the classifier was surest of first.

    Returns
    -------
    list of dict
        ``path``, ``true``, ``predicted``, ``probability`` (of the predicted class),
        ``probability_of_true``, and ``abstained`` where a threshold is given.
    """
    predicted = found.probabilities.argmax(axis=1)
    sure = found.probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != found.truth)
    told = []
    for row in wrong[np.argsort(-sure[wrong], kind="stable")]:
        mistake = {
            "path": shown(found.images[row].path),
            "true": classes[found.truth[row]],
            "predicted": classes[predicted[row]],
            "probability": float(sure[row]),
            "probability_of_true": float(found.probabilities[row, found.truth[row]]),
        }
        if found.usual is not None and threshold is not None:
            mistake["abstained"] = bool(found.usual[row] < threshold)
        told.append(mistake)
    return told


def seen_in_training(
    model: Model | TunedModel, found: Labelled, split: str
) -> tuple[dict[str, Any] | None, list[str]]:
    """Find the images that the model was trained on, and evaluate without them.

    Returns
    -------
    seen : dict or None
        ``images``, how many; ``evaluation`` on the others, None where there are none or all
        are others. None for a model that was saved without marks of its training images.
    warnings : list of str
        What that means for the figures.
    """
    if model.trained_on is None:
        unknown_to_it = (
            "the model file does not say which images it was trained on: if some are among "
            "these, they flatter the figures; fit and save it again to be told"
        )
        return None, [unknown_to_it]
    seen = seen_among(model.trained_on, found.digests)
    count, n = int(seen.sum()), len(seen)
    if not count:
        return {"images": 0, "evaluation": None}, []
    line = f"{count:,} of these {n:,} images were among the model's training images"
    if count == n:
        line += ": the figures say how well it knows them, not how it does on new ones"
        return {"images": count, "evaluation": None}, [line]
    others = evaluate(found.truth[~seen], found.probabilities[~seen], split)
    low, high = (100 * bound for bound in others.ci95)
    line += (
        f", which flatters the figures: on the {others.n:,} others the accuracy is "
        f"{100 * others.accuracy:.1f} % ({low:.1f} to {high:.1f} %)"
    )
    return {"images": count, "evaluation": others.to_dict()}, [line]


def describe_abstaining(found: Labelled, abstainer: Abstainer, wished: float) -> dict[str, Any]:
    """Return what abstention promised on the training images, and what it kept here.

    Returns
    -------
    dict
        ``promised`` and ``kept``, :func:`headstart.classify.heads.abstention.coverage_and_risk` out of
        fold and on these images at the wished coverage; ``curve``, the latter at each of many
        coverages; ``aurc``, the area under it.
    """
    assert found.usual is not None  # asked for with the wish
    right = found.probabilities.argmax(axis=1) == found.truth
    usual = found.usual

    def kept(coverage: float) -> dict[str, Any]:
        told = coverage_and_risk(usual, right, abstainer.threshold(coverage))
        return {"wished": coverage, **told}

    return {
        "promised": abstainer.promise(wished),
        "kept": kept(wished),
        "curve": [kept(coverage) for coverage in COVERAGES],
        "aurc": aurc(usual, right),
    }
