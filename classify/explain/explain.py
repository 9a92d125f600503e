"""Images to explanations: predict, find where the evidence lay, name the nearest training images."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from ...errors import DataError, unknown
from ...extract.images.dataset import read_dataset
from ...extract.recipe import Execution
from ...extract.source import FeatureSource
from ...progress import stage
from ..predict.model_source import source_of
from ..predict.predict import predict
from ..saved.load import SavedModel
from .activation_maps import class_activation, grad_cam, open_mapper
from .explanation import Explanation, Explanations
from .heat import Map
from .layers import HeadLayers, head_layers
from .method import choose_method
from .neighbours import TrainingImages, see, training_images
from .occlusion import occlude
from .photograph import Photograph, open_photograph
from .score import scorer

Draw = Callable[[Photograph, int], list[Map]]  # of a class, a column of the probabilities
BY_MAPS = {"cam": class_activation, "grad-cam": grad_cam}


def explain(
    model: SavedModel,
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
    files = [prediction.path for prediction in predictions]
    training: TrainingImages | None = None
    remarks: list[str] = []
    if nearest:
        training, remarks = _find_training(model, source, data)
    seen = see(model, files, source)
    draw, tell, images = _open(choice.method, model, source, head), stage("explaining"), []
    for row, prediction in enumerate(predictions):
        begin = time.perf_counter()
        explained = label or prediction.top[0][0]
        photograph = open_photograph(prediction.path, source.spec, execution.max_pixels)
        maps = draw(photograph, model.classes.index(explained))
        near = []
        if training is not None:
            near = training.nearest(seen.directions[row], photograph.digest, nearest)
        seconds = time.perf_counter() - begin
        images.append(
            Explanation(
                prediction.path,
                prediction.top,
                explained,
                maps,
                photograph.size,
                near,
                seconds,
            )
        )
        tell(row + 1, len(predictions))
    return Explanations(choice, images, failures, remarks)


def _open(method: str, model: SavedModel, source: FeatureSource, head: HeadLayers | None) -> Draw:
    """Load what a method needs, once for all images."""
    if head is None or method == "occlusion":
        engine = source.engine()
        return lambda photograph, target: [
            occlude(photograph, source.plan, engine, scorer(model, target))
        ]
    mapper = open_mapper(model, source)

    def draw(photograph: Photograph, target: int) -> list[Map]:
        maps = mapper(photograph.views(photograph.pixels))
        frames = [frame for frame in photograph.frames for _ in maps[0]]
        grids = BY_MAPS[method](maps, head, target)
        return [Map(grid, frame) for grid, frame in zip(grids, frames, strict=True)]

    return draw


def _find_training(
    model: SavedModel,
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
