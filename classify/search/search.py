"""What looks like an image, like several, or like a class of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from ...errors import unknown
from ...extract.failures import check_failures
from ...extract.features import load_features
from ...extract.images.addresses import Reference
from ...extract.images.images import Dataset
from ...extract.images.listing import list_images
from ...extract.recipe import Execution
from ...extract.source import FeatureSource
from ...text import shown
from ..data.collection import load_collection
from ..data.near_duplicates import Directions
from ..data.near_index import open_index
from ..data.table import find_taps
from ..predict.blocks import label_images
from ..predict.model_source import source_of
from ..saved.load import SavedModel
from .nearest import mean_direction, nearest


class FoundDocument(TypedDict):
    """One photograph; ``label`` is null where it has none."""

    path: str
    label: str | None
    score: float


class SearchDocument(TypedDict):
    """The contract of ``headstart search --json``; the best result first."""

    version: int
    dataset: str
    images: int
    like: list[str]
    score: str
    results: list[FoundDocument]
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Found:
    """A photograph that was looked for."""

    path: Reference  # where it is
    label: str  # its class; "" where it has none
    score: float  # see `Search`


@dataclass(frozen=True)
class Search:
    """What was looked for and found."""

    dataset: Dataset  # where
    images: int  # that have features
    like: Sequence[object]  # the images looked for, or the class of a model
    # what a score is: "cosine" of square-rooted features, -1 to 1, or the model's "probability"
    score: str
    results: list[Found]  # the best first
    warnings: list[str]  # what is worth telling

    def to_dict(self) -> SearchDocument:
        """Return the contract of ``headstart search --json``."""
        return {
            "version": 1,
            "dataset": shown(self.dataset.root),
            "images": self.images,
            "like": [shown(thing) for thing in self.like],
            "score": self.score,
            "results": [
                {"path": shown(found.path), "label": found.label or None, "score": found.score}
                for found in self.results
            ],
            "warnings": self.warnings,
        }


def search_like(
    dataset: Dataset,
    likes: Sequence[str],
    source: FeatureSource,
    top: int,
    max_failures: str | None = None,
    index: Path | None = None,
) -> Search:
    """Find the photographs nearest to an image, or to the mean of several.

    Compared are square-rooted features, by cosine, all of them unless an index says which. The
    images looked for and their copies are left out.

    Parameters
    ----------
    dataset : Dataset
        Where to look; labels may be missing.
    likes : sequence of str
        Images, folders or patterns.
    source : FeatureSource
        What to compare.
    top : int
        How many to find.
    max_failures : str, optional
        See :func:`headstart.extract.failures.check_failures`.
    index : Path, optional
        Folder for an approximate index of the dataset; see
        :func:`headstart.classify.data.near_index.open_index`, whose errors are also these.

    Raises
    ------
    DataError
        If an image looked for cannot be used, or too many others failed.
    """
    wanted = list_images(likes)
    patient = source.keeping_engine()
    seen = load_features(wanted, patient, doing="the images looked for")
    check_failures(seen.extraction.failures, len(wanted), "0")
    collection = load_collection(dataset, patient, max_failures)
    taps = find_taps(seen.widths, len(source.spec.views))
    query = mean_direction(Directions(seen.X, taps)[np.arange(len(seen.positions))])
    own = set(seen.digests)
    directions, digests = collection.directions, collection.digests
    if index is None:
        without = [row for row, digest in enumerate(digests) if digest in own]
        rows, scores = nearest(directions, len(digests), query, top, without)
    else:
        graph = open_index(index / f"{source.spec.id}.usearch", directions, digests)
        near = graph.nearest(query[None], top + len(own))[0]
        wanted_digests = {digests[row] for row in near.tolist() if row >= 0} - own
        candidates = np.array([row for row, d in enumerate(digests) if d in wanted_digests], int)
        best, scores = nearest(directions[candidates], len(candidates), query, top)
        rows = candidates[best]
    return Search(
        dataset,
        len(collection.images),
        wanted,
        "cosine",
        [
            Found(collection.images[row].path, collection.images[row].label, score)
            for row, score in zip(rows.tolist(), scores.tolist(), strict=True)
        ],
        [*collection.warnings, *_told(len(collection.failed))],
    )


def search_class(
    dataset: Dataset, model: SavedModel, label: str, execution: Execution, top: int
) -> Search:
    """Find the photographs that a model calls a class with the highest probability.

    Parameters
    ----------
    dataset : Dataset
        Where to look; labels may be missing.
    model : Model or TunedModel
        A saved classifier.
    label : str
        One of its classes.
    execution : Execution
        How to run; what is extracted is the model's.
    top : int
        How many to find.

    Raises
    ------
    OptionError
        If the model does not know the class.
    """
    if label not in model.classes:
        raise unknown("class", label, model.classes)
    column = model.classes.index(label)
    positions: list[int] = []
    scores: list[NDArray[np.float64]] = [np.empty(0)]
    warnings, failed, done = [*dataset.warnings], 0, 0
    paths = dataset.paths
    for block in label_images(model, source_of(model, execution), paths):
        positions += [done + position for position in block.positions]
        scores.append(block.probabilities[:, column])
        warnings += block.warnings
        failed += len(block.failures)
        done += len(block.images)
    probabilities = np.concatenate(scores)
    best = np.argsort(-probabilities, kind="stable")[:top]
    found = [(dataset.images[positions[row]], float(probabilities[row])) for row in best]
    return Search(
        dataset,
        len(positions),
        [label],
        "probability",
        [Found(image.path, image.label, score) for image, score in found],
        [*warnings, *_told(failed)],
    )


def _told(failed: int) -> list[str]:
    return [f"{failed:,} images could not be used and are left out"] if failed else []
