"""The ``evaluate`` contract: figures, classes, mistakes, what training saw, what abstention kept."""

from __future__ import annotations

from typing import NotRequired, TypedDict

import numpy as np

from ...text import shown
from ..heads.abstention import COVERAGES, Abstainer, CoveragePoint, aurc, coverage_and_risk
from ..saved.trained_on import Marks, seen_among
from ..statistics.confusion import (
    ClassFigures,
    ConfusedPair,
    confusion_matrix,
    most_confused,
    per_class,
)
from ..statistics.metrics import EvaluationDocument, FigureDocument, evaluate, figures
from ..statistics.paired_tests import PairedTestDocument
from .labelled import Labelled
from .predict import FailureDocument, describe_failure


class EvaluatedData(TypedDict):
    """Which images were evaluated, and how their classes were named."""

    path: str
    split: str
    splits: list[str]
    images: int
    left_out: dict[str, int]
    class_map: dict[str, str]


class Measured(TypedDict):
    """Figures, classes and failures."""

    evaluation: EvaluationDocument
    figures: dict[str, FigureDocument]
    classes: list[str]
    per_class: list[ClassFigures]
    confusion: list[list[int]]
    most_confused: list[ConfusedPair]
    failed: list[FailureDocument]


class Mistake(TypedDict):
    """An image labelled wrong; whether it was left to a person where abstention was asked for."""

    path: str
    true: str
    predicted: str
    probability: float
    probability_of_true: float
    abstained: NotRequired[bool]


class SeenInTraining(TypedDict):
    """Images that the model was trained on, and its figures on the others.

    No figures where there are no such images, or no others.
    """

    images: int
    evaluation: EvaluationDocument | None


class Abstaining(TypedDict):
    """What abstention promised out of fold and kept here, and the area under the curve."""

    promised: CoveragePoint
    kept: CoveragePoint
    curve: list[CoveragePoint]
    aurc: float


class ComparedWith(TypedDict):
    """Another model on the same images, and the paired test; ``difference`` is this less it."""

    path: str
    model: str
    evaluation: EvaluationDocument
    tests: PairedTestDocument
    verdict: str


class EvaluateDocument(Measured):
    """The whole; ``seen_in_training`` is None for a model saved without marks of its images."""

    version: int
    model: str
    data: EvaluatedData
    mistakes: list[Mistake]
    seen_in_training: SeenInTraining | None
    seed: int
    abstention: NotRequired[Abstaining]
    compared_with: NotRequired[ComparedWith]


def measure(labelled: Labelled, classes: list[str], split: str, seed: int) -> Measured:
    """Return the part of the record that figures, classes and failures make."""
    predicted = labelled.probabilities.argmax(axis=1)
    matrix = confusion_matrix(labelled.truth, predicted, len(classes))
    return {
        "evaluation": evaluate(labelled.truth, labelled.probabilities, split),
        "figures": figures(labelled.truth, labelled.probabilities, seed),
        "classes": classes,
        "per_class": per_class(matrix, classes),
        "confusion": matrix.tolist(),
        "most_confused": most_confused(matrix, classes),
        "failed": [describe_failure(failure) for failure in labelled.failures],
    }


def find_mistakes(labelled: Labelled, classes: list[str], threshold: float | None) -> list[Mistake]:
    """Return the images labelled wrong, those that the classifier was surest of first.

    The threshold, where there is one, is how usual an image must be to be labelled at all.
    """
    predicted = labelled.probabilities.argmax(axis=1)
    sure = labelled.probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labelled.truth)
    mistakes: list[Mistake] = []
    for row in wrong[np.argsort(-sure[wrong], kind="stable")]:
        mistake: Mistake = {
            "path": shown(labelled.images[row].path),
            "true": classes[labelled.truth[row]],
            "predicted": classes[predicted[row]],
            "probability": float(sure[row]),
            "probability_of_true": float(labelled.probabilities[row, labelled.truth[row]]),
        }
        if labelled.usual is not None and threshold is not None:
            mistake["abstained"] = bool(labelled.usual[row] < threshold)
        mistakes.append(mistake)
    return mistakes


def find_seen_in_training(
    marks: Marks | None, labelled: Labelled, split: str
) -> tuple[SeenInTraining | None, list[str]]:
    """Find the images that the model was trained on, and evaluate without them.

    Returns
    -------
    seen : SeenInTraining or None
        None where there are no marks.
    warnings : list of str
        What that means for the figures.
    """
    if marks is None:
        unknown_to_it = (
            "the model file does not say which images it was trained on: if some are among "
            "these, they flatter the figures; fit and save it again to be told"
        )
        return None, [unknown_to_it]
    seen = seen_among(marks, labelled.digests)
    count, n = int(seen.sum()), len(seen)
    if not count:
        return {"images": 0, "evaluation": None}, []
    line = f"{count:,} of these {n:,} images were among the model's training images"
    if count == n:
        line += ": the figures say how well it knows them, not how it does on new ones"
        return {"images": count, "evaluation": None}, [line]
    others = evaluate(labelled.truth[~seen], labelled.probabilities[~seen], split)
    low, high = (100 * bound for bound in others["ci95"])
    line += (
        f", which flatters the figures: on the {others['n']:,} others the accuracy is "
        f"{100 * others['accuracy']:.1f} % ({low:.1f} to {high:.1f} %)"
    )
    return {"images": count, "evaluation": others}, [line]


def describe_abstaining(labelled: Labelled, abstainer: Abstainer, wished: float) -> Abstaining:
    """Return what abstention promised on the training images, and what it kept here."""
    assert labelled.usual is not None  # asked for with the wish
    right = labelled.probabilities.argmax(axis=1) == labelled.truth
    usual = labelled.usual

    def kept(coverage: float) -> CoveragePoint:
        point = coverage_and_risk(usual, right, abstainer.threshold(coverage))
        return {"wished": coverage, **point}

    return {
        "promised": abstainer.promise(wished),
        "kept": kept(wished),
        "curve": [kept(coverage) for coverage in COVERAGES],
        "aurc": aurc(usual, right),
    }
