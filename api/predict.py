"""``headstart.predict``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Unpack

from ..classify.heads.abstention import CoveragePoint
from ..classify.predict.blocks import Images
from ..classify.predict.classifier import Classifier
from ..classify.predict.model_source import abstainer_of
from ..classify.predict.predict import (
    PredictDocument,
    Prediction,
    predict_document,
    predict_each,
)
from ..classify.predict.sorting import ClassFolders, copy, link
from ..extract.images.folder import gather
from ..extract.images.listing import list_images, outside
from ..extract.ledger import Failure
from ..extract.photographs import read_part
from ..tables import TextTable
from ..text import shown
from .data import open_model
from .options import ModelOptions, Place, execution_of
from .result import Block, Result


@dataclass
class Labelling:
    """Labels images one by one as it is iterated over: any number of them takes the same memory.

    Attributes
    ----------
    promise : dict, optional
        What abstaining means on the training images.
    folders : ClassFolders, optional
        Where images are sorted to.
    warnings : list of str
        What went wrong without stopping the run, so far.
    """

    images: Images
    label: Callable[[Images], Iterator[Prediction | Failure]]
    promise: CoveragePoint | None
    folders: ClassFolders | None
    warnings: list[str]

    def __iter__(self) -> Iterator[Prediction | Failure]:
        for answer in self.label(self.images):
            yield answer if self.folders is None else self.folders.place(answer)


def open_labelling(
    model: Place | Classifier,
    paths: Iterable[Place],
    listed: BinaryIO | None = None,
    *,
    top: int,
    abstain: float | None,
    sort_into: Place | None,
    copies: bool,
    trust_joblib: bool,
    options: ModelOptions,
    part: str | None = None,
) -> Labelling:
    """Load the model and list the images; the parameters and errors are those of :func:`predict`.

    Parameters
    ----------
    listed : binary file, optional
        What the path ``-`` stands for, a path a line.
    """
    weights = options.get("weights")
    classifier = open_model(model, weights, trust_joblib=trust_joblib, to_label=True)
    wanted = None if part is None else read_part(part)
    images = list_images(paths, listed)
    if wanted is not None:
        images = gather(filter(wanted.holds, images))
    folders = None
    if sort_into is not None:
        folders = ClassFolders(Path(sort_into), copy if copies else link)
        images = outside(images, Path(sort_into))  # of an earlier run
    promise = None if abstain is None else abstainer_of(classifier).promise(abstain)
    warnings: list[str] = []
    execution = execution_of(options)

    def label(some: Images) -> Iterator[Prediction | Failure]:
        return predict_each(classifier, some, execution, top, abstain, warnings.append)

    return Labelling(images, label, promise, folders, warnings)


@dataclass(frozen=True, repr=False)
class Predicted(Result):
    """Labels and probabilities, image by image."""

    predictions: list[Prediction]
    failures: list[Failure]
    promise: CoveragePoint | None  # what abstaining means on the training images
    remarks: list[str]  # what went wrong without stopping the run

    @property
    def warnings(self) -> Sequence[str]:
        """What is worth telling, a line each; images that could not be read are there."""
        return [*self.remarks, *map(str, self.failures)]

    def to_dict(self) -> PredictDocument:
        """Return the contract of ``predict --json``."""
        return predict_document(self.predictions, self.failures, self.promise)

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return the images that were labelled."""
        return [prediction.to_dict() for prediction in self.predictions]

    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints."""
        yield TextTable(
            ["image", "label", "probability", "next"],
            [_row(prediction) for prediction in self.predictions],
            texts=2,
            paths=["image"],
            spare=["next"],
        )
        if self.promise is not None and self.predictions:
            unsure = sum(prediction.abstained for prediction in self.predictions)
            yield f"unsure of {unsure:,} of {len(self.predictions):,} images"
            yield _kept(self.promise)


def _row(prediction: Prediction) -> list[str]:
    others = prediction.top if prediction.abstained else prediction.top[1:]
    return [
        shown(prediction.path),
        shown(prediction.label or "unsure"),
        f"{prediction.top[0][1]:.3f}",
        ", ".join(f"{shown(name)} {value:.3f}" for name, value in others),
    ]


def _kept(promise: CoveragePoint) -> str:
    """Say what labelling at this coverage meant on the training images."""
    line = f"out of fold, {100 * promise['coverage']:.1f} % of the training images are labelled"
    if promise["risk"] is None or promise["risk_ci95"] is None:
        return line
    low, high = (100 * bound for bound in promise["risk_ci95"])
    wrong = f"{100 * promise['risk']:.1f} % of those wrongly"
    return f"{line}, {wrong} (95 % interval {low:.1f} to {high:.1f} %)"


def predict(
    model: Place | Classifier,
    paths: Place | Iterable[Place],
    *,
    top: int = 3,
    abstain: float | None = None,
    sort_into: Place | None = None,
    copy: bool = False,
    part: str | None = None,
    trust_joblib: bool = False,
    **options: Unpack[ModelOptions],
) -> Predicted:
    """Label new images with a saved classifier; those that cannot be read are listed.

    Parameters
    ----------
    model, trust_joblib, **options
        As those of :func:`headstart.evaluate`.
    paths : path, or iterable of paths
        Images, folders, patterns, shards, URLs of any of these.
    top : int
        Classes to name an image.
    abstain : float, optional
        Share of images to label, over 0 and up to 1: the most unusual others are left to a
        person; all are labelled when None.
    sort_into : path, optional
        Folder to link each image into, below its class.
    copy : bool
        Copy images there instead.
    part : str, optional
        ``"I/N"``: this one of N parts of the images alone.

    Returns
    -------
    Predicted
        Prints as a table; ``failures`` has what could not be read.

    Raises
    ------
    DataError
        If a path does not exist, or there is nothing to label.
    ModelError
        If the model cannot be used here, or cannot abstain.

    Examples
    --------
    >>> import headstart
    >>> predicted = headstart.predict("photographs.headstart", "photographs/red")
    >>> set(predicted.to_frame()["label"])
    {'red'}
    """
    given = [paths] if isinstance(paths, str | os.PathLike) else paths
    labelling = open_labelling(
        model,
        given,
        top=top,
        abstain=abstain,
        sort_into=sort_into,
        copies=copy,
        trust_joblib=trust_joblib,
        options=options,
        part=part,
    )
    predictions: list[Prediction] = []
    failures: list[Failure] = []
    for answer in labelling:
        if isinstance(answer, Prediction):
            predictions.append(answer)
        else:
            failures.append(answer)
    return Predicted(predictions, failures, labelling.promise, labelling.warnings)
