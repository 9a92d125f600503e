"""Labels for new images, one by one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np

from ...extract.images.addresses import Reference
from ...extract.images.in_memory import PixelImage
from ...extract.images.listing import list_images
from ...extract.ledger import Failure
from ...extract.recipe import Execution
from ...text import shown
from ..heads.abstention import CoveragePoint
from ..saved.load import SavedModel
from .blocks import Answers, Images, label_images
from .model_source import abstainer_of, source_of


class RankedLabel(TypedDict):
    """A class and its probability."""

    label: str
    probability: float


class PredictionDocument(TypedDict):
    """One image; no label where the classifier abstains, ``placed`` where it was sorted."""

    path: str
    label: str | None
    probability: float
    abstained: bool
    top: list[RankedLabel]
    placed: NotRequired[str]


class FailureDocument(TypedDict):
    """An image that could not be read, and why."""

    path: str
    reason: str


class PredictDocument(TypedDict):
    """The ``predict`` contract; ``abstention`` is what ``--abstain`` promises."""

    version: int
    predictions: list[PredictionDocument]
    failed: list[FailureDocument]
    abstention: NotRequired[CoveragePoint]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the classifier says of one image."""

    path: Reference
    top: list[tuple[str, float]]  # (label, probability): the most probable classes first
    abstained: bool = False  # whether the image had better be left to a person
    digest: bytes = b""  # SHA-256 of the image
    placed: Path | None = None  # where it was linked or copied to

    @property
    def label(self) -> str | None:
        """The most probable class; None where the classifier abstains."""
        return None if self.abstained else self.top[0][0]

    def to_dict(self) -> PredictionDocument:
        """Return one entry of the contract's ``predictions``."""
        document: PredictionDocument = {
            "path": shown(self.path),
            "label": self.label,
            "probability": self.top[0][1],
            "abstained": self.abstained,
            "top": [{"label": name, "probability": value} for name, value in self.top],
        }
        if self.placed is not None:
            document["placed"] = shown(self.placed)
        return document


def predict(
    model: SavedModel,
    paths: Iterable[str | os.PathLike[str] | PixelImage],
    execution: Execution,
    top: int = 3,
    abstain: float | None = None,
) -> tuple[list[Prediction], list[Failure]]:
    """Label images, through the same cache as training.

    Parameters
    ----------
    model : Model
        From :func:`headstart.classify.saved.load.load_model`.
    paths : iterable of path or PixelImage
        Files, folders, patterns, shards and URLs, see :func:`headstart.extract.images.listing.list_images`; images
        in memory.
    execution : Execution
        Where the cache is and how to run; what is extracted is the model's.
    top : int
        Classes to name for each image.
    abstain : float, optional
        Share of images like the training images to label, over 0 and up to 1; the most
        unusual others are left to a person. None labels all.

    Returns
    -------
    predictions : list of Prediction
    failures : list of Failure
        Images that could not be read.

    Raises
    ------
    DataError
        If a path does not exist or there is nothing to label.
    ModelError
        If the backbone's weights here are not those of training, or the model cannot abstain.
    OptionError
        If the share to label is out of range.
    """
    predictions: list[Prediction] = []
    failures: list[Failure] = []
    for answer in predict_each(model, list_images(paths), execution, top, abstain):
        if isinstance(answer, Prediction):
            predictions.append(answer)
        else:
            failures.append(answer)
    return predictions, failures


def predict_each(
    model: SavedModel,
    images: Images,
    execution: Execution,
    top: int = 3,
    abstain: float | None = None,
    warn: Callable[[str], None] = lambda line: None,
    block: int | None = None,
) -> Iterator[Prediction | Failure]:
    """Label images one by one, in their order; the parameters are those of :func:`predict`.

    Features are extracted, read and let go a block at a time: any number of images takes
    the same memory, and the first labels are there long before the last.

    Parameters
    ----------
    images : sequence of Reference or PixelImage
        From :func:`headstart.extract.images.listing.list_images`.
    warn : callable
        Told, in a line, what went wrong without stopping the run.
    block : int, optional
        Images labelled at a time; as many as memory bears when None.

    Yields
    ------
    Prediction or Failure
        One for each image.
    """
    threshold = None if abstain is None else abstainer_of(model).threshold(abstain)
    warned: set[str] = set()
    judging, source = threshold is not None, source_of(model, execution)
    for answers in label_images(model, source, images, judging=judging, block=block):
        for line in dict.fromkeys(answers.warnings):
            if line not in warned:
                warn(line)
        warned.update(answers.warnings)
        yield from _in_order(answers, model.classes, top, threshold)


def _in_order(
    block: Answers, classes: list[str], top: int, threshold: float | None
) -> Iterator[Prediction | Failure]:
    """Turn the rows of a block into one answer for each of its images."""
    best = np.argsort(-block.probabilities, axis=1, kind="stable")[:, :top]
    rows = {position: row for row, position in enumerate(block.positions)}
    failures = iter(block.failures)
    for position, image in enumerate(block.images):
        if position not in rows:
            yield next(failures)
            continue
        row = rows[position]
        yield Prediction(
            path=Path(str(image)) if isinstance(image, PixelImage) else image,
            top=[(classes[c], float(block.probabilities[row, c])) for c in best[row]],
            abstained=block.usual is not None and bool(block.usual[row] < (threshold or 0.0)),
            digest=block.digests[row],
        )


def predict_document(
    predictions: Iterable[Prediction],
    failures: Iterable[Failure],
    promise: CoveragePoint | None = None,
) -> PredictDocument:
    """Return the ``predict`` contract."""
    document: PredictDocument = {
        "version": 1,
        "predictions": [prediction.to_dict() for prediction in predictions],
        "failed": [describe_failure(failure) for failure in failures],
    }
    if promise is not None:
        document["abstention"] = promise
    return document


def describe_failure(failure: Failure) -> FailureDocument:
    """Return one entry of a contract's ``failed``."""
    return {"path": shown(failure.path), "reason": failure.reason}
