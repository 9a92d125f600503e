"""Which photographs the page shows: confident mistakes, disagreements, what the doctor doubts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....extract.images.addresses import Reference, reference
from ....text import shown
from ..compare import Evidence
from ..documents import DoctorDocument

GALLERY = 12  # photographs of mistakes an approach
DISAGREEMENTS = 24

Lines = list[str]
Photographs = list[tuple[int, Lines]]  # position in the evaluation split, what is said of it


@dataclass(frozen=True)
class Finding:
    """Photographs that the doctor doubts, and what is said of each."""

    title: str
    photographs: list[tuple[Reference, Lines]]


def confident_mistakes(evidence: Evidence, name: str, classes: Sequence[str]) -> Photographs:
    """Return an approach's mistakes, those that it was surest of first."""
    probabilities = evidence.probabilities[name]
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != evidence.truth)
    surest = wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:GALLERY]
    return [(image, [_labelled(evidence, name, image, classes)]) for image in surest.tolist()]


def disagreements(evidence: Evidence, pair: tuple[str, str], classes: Sequence[str]) -> Photographs:
    """Return the images that only one of two approaches labels right."""
    right = [evidence.probabilities[name].argmax(axis=1) == evidence.truth for name in pair]
    differing = np.flatnonzero(right[0] != right[1])[:DISAGREEMENTS]
    return [
        (image, [f"{shown(name)}: {_labelled(evidence, name, image, classes)}" for name in pair])
        for image in differing.tolist()
    ]


def wrong_by_all(evidence: Evidence, classes: Sequence[str]) -> Photographs:
    """Return the images that no approach labels right, and what most say."""
    labels = _labels(evidence)
    hard = np.flatnonzero((labels != evidence.truth).all(axis=0))[:GALLERY]
    photographs = []
    for image in hard.tolist():
        votes = np.bincount(labels[:, image], minlength=len(classes))
        line = f"{classes[int(votes.argmax())]}, say {votes.max()} of {len(labels)}"
        photographs.append((image, [line]))
    return photographs


def findings(doctor: DoctorDocument) -> list[Finding]:
    """Return what the doctor found that a picture helps to judge."""
    doubts = [
        (
            reference(error["path"]),
            [f"labelled {shown(error['label'])}", f"looks like {shown(error['suggested'])}"],
        )
        for error in doctor["label_errors"]
    ]
    copies = [
        (reference(path), [f"{shown(label)}, {split}"])
        for group in (*doctor["duplicates"], *doctor["near_duplicates"])
        if group["across_splits"] or group["conflicting_labels"]
        for path, label, split in zip(group["paths"], group["labels"], group["splits"], strict=True)
    ]
    kinds = [
        Finding("Labels to look at", doubts),
        Finding("Copies across splits or labels", copies[:GALLERY]),
    ]
    return [kind for kind in kinds if kind.photographs]


def most_wanted(
    evidence: Evidence,
    galleries: Sequence[Photographs],
    doctors: Sequence[Finding],
    numbers: dict[Reference, int],
) -> Iterable[int]:
    """Order images by how likely a reader is to look at them: galleries, mistakes, the rest."""
    for gallery in galleries:
        yield from (image for image, _ in gallery)
    for finding in doctors:
        yield from (numbers[path] for path, _ in finding.photographs)
    errors = (_labels(evidence) != evidence.truth).sum(axis=0)
    yield from np.argsort(-errors, kind="stable").tolist()


def _labels(evidence: Evidence) -> NDArray[np.intp]:
    """Return each approach's labels: (approaches, n)."""
    return np.array([p.argmax(axis=1) for p in evidence.probabilities.values()])


def _labelled(evidence: Evidence, name: str, image: int, classes: Sequence[str]) -> str:
    row = evidence.probabilities[name][image]
    return f"{classes[int(row.argmax())]}, {row.max():.0%} sure"
