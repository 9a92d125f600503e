"""Images to explanations: label, map of evidence, nearest training images."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import DataError, unknown
from ...extract.images.addresses import Reference
from ...extract.images.dataset import read_dataset
from ...extract.pipeline import Failure
from ...extract.recipe import Execution
from ...extract.source import FeatureSource
from ...progress import stage
from ...text import shown
from ..predict.model_source import source_of
from ..predict.predict import predict
from ..saved.head_model import Model
from ..saved.network_model import TunedModel
from .cam import class_activation
from .grad_cam import grad_cam
from .heat import Grid, Map, find_box, lay_out, share_inside
from .layers import HeadLayers, head_layers
from .mapper import open_mapper
from .method import Choice, choose_method
from .neighbours import Neighbour, TrainingImages, see, training_images
from .occlusion import occlude
from .photograph import Photograph, open_photograph
from .score import scorer

SIDE = 32  # cells of a map's longer side where it is told in numbers

Draw = Callable[[Photograph, int], list[Map]]  # of a class, a column of the probabilities
BY_MAPS = {"cam": class_activation, "grad-cam": grad_cam}


@dataclass(frozen=True)
class Explanation:
    """Why one image got its label.

    Parameters
    ----------
    path : Reference
        The image.
    top : list of (label, probability)
        All classes, the most probable first.
    explained : str
        The class whose evidence the maps show: the first, or the one asked for.
    maps : list of Map
        Of each view and layer; they add up.
    size : (width, height)
        Of the upright photograph, in pixels as decoded for the network.
    neighbours : list of Neighbour
        The nearest training images, the most similar first.
    seconds : float
        What maps and neighbours took, the model's loading left out.
    """

    path: Reference
    top: list[tuple[str, float]]
    explained: str
    maps: list[Map]
    size: tuple[int, int]
    neighbours: list[Neighbour]
    seconds: float

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.top[0][0]

    def grid(self, longest: int) -> Grid:
        """Return the maps on the whole photograph, its longer side in so many cells."""
        scale = longest / max(self.size)
        width, height = (max(1, round(scale * side)) for side in self.size)
        return lay_out(self.maps, width, height)

    def to_dict(self) -> dict[str, Any]:
        """Return one entry of the contract's ``explanations``."""
        grid = self.grid(SIDE)
        box = find_box(grid)
        values = [[None if np.isnan(v) else float(f"{v:.4g}") for v in row] for row in grid]
        return {
            "image": shown(self.path),
            "label": self.label,
            "probability": self.top[0][1],
            "class": self.explained,
            "class_probability": dict(self.top)[self.explained],
            "top": [{"label": name, "probability": value} for name, value in self.top],
            "map": {"shape": list(grid.shape), "values": values},
            "box": None if box is None else list(box),
            "mass_in_box": None if box is None else share_inside(grid, box),
            "neighbours": [
                {
                    "path": shown(one.path),
                    "label": one.label,
                    "similarity": one.similarity,
                    "agrees": one.label == self.label,
                }
                for one in self.neighbours
            ],
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Explanations:
    """What ``explain`` gives.

    Parameters
    ----------
    choice : Choice
        The method, and why.
    images : list of Explanation
        In the order given.
    failures : list of Failure
        Images that could not be read.
    remarks : list of str
        What is worth telling.
    """

    choice: Choice
    images: list[Explanation]
    failures: list[Failure]
    remarks: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the contract, without the paths of what was written."""
        return {
            "version": 1,
            "method": self.choice.method,
            "why": self.choice.why,
            "explanations": [one.to_dict() for one in self.images],
            "failed": [{"path": shown(f.path), "reason": f.reason} for f in self.failures],
            "remarks": self.remarks,
        }


def explain(
    model: Model | TunedModel,
    paths: Iterable[str | os.PathLike[str]],
    execution: Execution,
    method: str = "auto",
    label: str | None = None,
    data: str | os.PathLike[str] | None = None,
    nearest: int = 5,
) -> Explanations:
    """Explain what a classifier says of images.

    Parameters
    ----------
    model : Model or TunedModel
        From :func:`headstart.classify.saved.load.load_model`.
    paths : iterable of paths
        Files and folders.
    execution : Execution
        Where the cache is and how to run; what is extracted is the model's.
    method : str
        ``"auto"``, ``"cam"``, ``"grad-cam"`` or ``"occlusion"``.
    label : str, optional
        The class to explain; each image's most probable one when None.
    data : path or URL, optional
        The training data; what the model remembers of it when None.
    nearest : int
        Training images to name for each image; 0 leaves the training data alone.

    Raises
    ------
    DataError
        If a path does not exist or ``data`` cannot be used.
    ModelError
        If the backbone's weights here are not those of training.
    OptionError
        If method or class are unknown, or the head does not allow the method.
    """
    if label is not None and label not in model.classes:
        raise unknown("class", label, model.classes)
    head = head_layers(model)
    choice = choose_method(method, model, head)
    source = source_of(model, execution)
    predictions, failures = predict(model, paths, execution, len(model.classes))
    if not predictions:
        return Explanations(choice, [], failures, [])
    files = [one.path for one in predictions]
    training: TrainingImages | None = None
    remarks: list[str] = []
    if nearest:
        training, remarks = _find_training(model, source, data)
    seen = see(model, files, source)
    draw, tell, images = _open(choice.method, model, source, head), stage("explaining"), []
    for at, one in enumerate(predictions):
        begin = time.perf_counter()
        explained = label or one.top[0][0]
        photograph = open_photograph(one.path, source.spec, execution.max_pixels)
        maps = draw(photograph, model.classes.index(explained))
        near = []
        if training is not None:
            near = training.nearest(seen.directions[at], photograph.digest, nearest)
        seconds = time.perf_counter() - begin
        images.append(
            Explanation(one.path, one.top, explained, maps, photograph.size, near, seconds)
        )
        tell(at + 1, len(predictions))
    return Explanations(choice, images, failures, remarks)


def _open(
    method: str, model: Model | TunedModel, source: FeatureSource, head: HeadLayers | None
) -> Draw:
    """Load what a method needs, once for all images."""
    if head is None or method == "occlusion":
        engine = source.engine()
        return lambda photograph, at: [occlude(photograph, source.plan, engine, scorer(model, at))]
    mapper = open_mapper(model, source)

    def draw(photograph: Photograph, at: int) -> list[Map]:
        maps = mapper(photograph.views(photograph.pixels))
        frames = [frame for frame in photograph.frames for _ in maps[0]]
        grids = BY_MAPS[method](maps, head, at)
        return [Map(grid, frame) for grid, frame in zip(grids, frames, strict=True)]

    return draw


def _find_training(
    model: Model | TunedModel,
    source: FeatureSource,
    data: str | os.PathLike[str] | None,
) -> tuple[TrainingImages | None, list[str]]:
    """Return the training images, or a line that says why there are none.

    Raises
    ------
    DataError
        If the data that the user named cannot be used.
    """
    place = data or model.record.get("data")
    if place is None:
        return None, ["no neighbours: the model does not say what it was trained on; name --data"]
    try:
        dataset = read_dataset(place)
        return training_images(model, dataset, source), []
    except DataError as error:
        if data is not None:
            raise
        return None, [f"no neighbours: {error}; --data names the training data's new place"]
