"""``headstart.explain``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from ..classify.explain.explain import explain as explain_images
from ..classify.explain.explanation import (
    Explanation,
    Explanations,
    ExplanationsDocument,
    Written,
)
from ..classify.explain.page import write_page
from ..classify.predict.classifier import Classifier
from ..errors import HeadstartError
from ..tables import TextTable
from ..text import shown
from .data import open_model
from .options import ModelOptions, Place, execution_of
from .result import Block, Result


@dataclass(frozen=True, repr=False)
class Explained(Result):
    """Where the evidence lay, and which training images each image resembles."""

    explanations: Explanations
    written: Written | None  # files, where a folder was named

    @property
    def warnings(self) -> Sequence[str]:
        """What is worth telling, a line each; images that could not be read are there."""
        return [*self.explanations.remarks, *map(str, self.explanations.failures)]

    def check(self) -> None:
        """Check that there is an explanation.

        Raises
        ------
        HeadstartError
            If no image could be explained.
        """
        if not self.explanations.images:
            count = len(self.explanations.failures)
            raise HeadstartError(f"none of the {count} images could be explained")

    def to_dict(self) -> ExplanationsDocument:
        """Return the contract of ``explain --json``."""
        return self.explanations.to_dict(self.written)

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return the images; the maps are in :meth:`to_dict`."""
        told = self.to_dict()["explanations"]
        return [{key: value for key, value in row.items() if key != "map"} for row in told]

    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints."""
        for explanation in self.explanations.images:
            yield from _blocks(explanation)
        if self.explanations.images:
            choice = self.explanations.choice
            yield f"method: {choice.method}, because {choice.why}"
        if self.written is not None:
            yield f"page: {self.written.page}"


def _blocks(explanation: Explanation) -> Iterator[Block]:
    probabilities = dict(explanation.top)
    label, explained = explanation.label, explanation.explained
    yield f"{shown(explanation.path)}: {shown(label)}, probability {probabilities[label]:.3f}"
    if explained != label:
        yield f"explained: {shown(explained)}, probability {probabilities[explained]:.3f}"
    if explanation.neighbours:
        yield TextTable(
            ["nearest training image", "label", "agrees", "similarity"],
            [
                [
                    shown(near.path),
                    shown(near.label),
                    "yes" if near.label == label else "no",
                    f"{near.similarity:.3f}",
                ]
                for near in explanation.neighbours
            ],
            texts=3,
            paths=["nearest training image"],
        )
    yield ""


def explain(
    model: Place | Classifier,
    images: Place | Iterable[Place],
    *,
    method: str = "auto",
    label: str | None = None,
    data: Place | None = None,
    neighbours: int = 5,
    out: Place | None = None,
    trust_joblib: bool = False,
    **options: Unpack[ModelOptions],
) -> Explained:
    """Show where a classifier looked, and which training images an image resembles.

    Parameters
    ----------
    model, trust_joblib, **options
        As those of :func:`headstart.evaluate`.
    images : path, or iterable of paths
        Images, folders, patterns, shards, URLs.
    method : str
        ``"cam"``, ``"grad-cam"``, ``"occlusion"``, or ``"auto"``: the first that the head allows.
    label : str, optional
        The class to explain (``--class``); each image's most probable when None.
    data : path or URL, optional
        The training data; where it was when the model was fitted when None.
    neighbours : int
        Nearest training images to name an image.
    out : path, optional
        Folder for ``index.html`` and a PNG an image.

    Returns
    -------
    Explained
        Prints label, probability and neighbours; ``to_dict()`` has the maps.

    Raises
    ------
    DataError
        If a path does not exist.
    ModelError
        If the model cannot be used here.
    OptionError
        If method or class are unknown, or the head does not allow the method.

    Examples
    --------
    >>> import headstart
    >>> why = headstart.explain(
    ...     "photographs.headstart", "photographs/red/0.png", method="occlusion", neighbours=1
    ... )
    >>> why.to_dict()["explanations"][0]["label"]
    'red'
    """
    execution = execution_of(options)
    classifier = open_model(model, options.get("weights"), trust_joblib=trust_joblib)
    paths = [images] if isinstance(images, str | os.PathLike) else images
    explanations = explain_images(
        classifier, paths, execution, method, label=label, data=data, nearest=neighbours
    )
    written = None
    if out is not None and explanations.images:
        name = Path(repr(model) if isinstance(model, Classifier) else model)
        written = write_page(explanations, name, Path(out), execution.max_pixels)
    return Explained(explanations, written)
