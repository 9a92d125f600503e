"""Labels for new images."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, ModelError
from ..extract.dataset import plain_files
from ..extract.features import (
    FeatureOptions,
    FeatureSource,
    feature_source,
    load_features,
    options_for,
)
from ..extract.pipeline import Failure, Progress, read_features
from .abstain import Abstainer
from .boundary import PassingStore, extract_passing
from .model import Model
from .tuned import TunedModel

BLOCK = 64  # images whose whole maps are in memory at once


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the classifier says of one image.

    Parameters
    ----------
    path : Path
        The image.
    top : list of (label, probability)
        The most probable classes first.
    abstained : bool
        Whether the image had better be left to a person.
    """

    path: Path
    top: list[tuple[str, float]]
    abstained: bool = False

    @property
    def label(self) -> str | None:
        """The most probable class; None where the classifier abstains."""
        return None if self.abstained else self.top[0][0]


def predict(
    model: Model | TunedModel,
    paths: Iterable[str | os.PathLike[str]],
    options: FeatureOptions,
    top: int = 3,
    progress: Progress = lambda done, total: None,
    abstain: float | None = None,
) -> tuple[list[Prediction], list[Failure]]:
    """Label files and all files in folders, through the same cache as training.

    Parameters
    ----------
    model : Model
        From :func:`headstart.classify.model.load`.
    paths : iterable of paths
        Files and folders.
    options : FeatureOptions
        Where the cache is and how to run; what is extracted is the model's.
    top : int
        Classes to name for each image.
    progress : callable
        Told ``(done, total)`` images.
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
    threshold = None if abstain is None else abstainer_of(model).threshold(abstain)
    files = _expand(paths)
    spec = model.spec
    weights = model.weights if options.weights == "imagenet" else options.weights
    source = feature_source(replace(options_for(spec, options), weights=weights))
    if source.spec != spec:
        raise ModelError(_mismatch(spec.weights_sha256, source.spec.weights_sha256, source.weights))
    if isinstance(model, TunedModel):
        probabilities, positions, failures = _through_network(model, files, source, progress)
        abstained = np.zeros(len(probabilities), dtype=bool)
    else:
        features = load_features(files, source, progress)
        positions, failures = features.positions, features.extraction.failures
        probabilities = model.predict_proba(features.X) if positions else np.empty((0, 0))
        abstained = np.zeros(len(probabilities), dtype=bool)
        if threshold is not None and positions:
            abstained = abstainer_of(model).judge(features.X, probabilities) < threshold
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    predictions = [
        Prediction(files[at], [(model.classes[c], float(row[c])) for c in best], bool(unsure))
        for at, row, best, unsure in zip(positions, probabilities, order, abstained, strict=True)
    ]
    return predictions, failures


def _through_network(
    model: TunedModel, files: list[Path], source: FeatureSource, progress: Progress
) -> tuple[NDArray[np.float64], list[int], list[Failure]]:
    """Return probabilities, which file each row is of, and what failed; a block at a time.

    Whole maps are large: they are read from the cache where training left
    them there, and the others are let go once the network has seen them.
    """
    store = PassingStore(source.cache, source.spec)
    make_engine = functools.cache(lambda: source.options.make_engine(source))
    parts, positions, failures = [np.empty((0, len(model.classes)))], [], []
    for low in range(0, len(files), BLOCK):
        block = files[low : low + BLOCK]
        run = functools.partial(extract_passing, block, source, store, make_engine)
        extraction, maps, found = read_features(store, run)
        if found:
            parts.append(model.predict_proba(maps[:]))
        positions += [low + at for at in found]
        failures += extraction.failures
        store.forget()
        progress(low + len(block), len(files))
    return np.concatenate(parts), positions, failures


def abstainer_of(model: Model | TunedModel) -> Abstainer:
    """Return what a model abstains by.

    Raises
    ------
    ModelError
        If it was saved without.
    """
    if isinstance(model, TunedModel):
        raise ModelError(
            f"a network ({model.name}) has no out-of-fold scores to abstain by: leave --abstain "
            "out, or take a head of 'fit head --out'"
        )
    if model.abstainer is None:
        raise ModelError(
            f"this {model.name} was saved without the out-of-fold scores that --abstain needs: "
            "fit it again with 'fit head --out', the features are still cached"
        )
    return model.abstainer


def _mismatch(trained: str, here: str, weights: Path) -> str:
    if trained == here:
        return "the model was made by another version of headstart's image decoding: train it again"
    return (
        f"the model was trained on backbone weights with SHA-256 {trained[:12]}…, {weights} has "
        f"{here[:12]}…: name the right file with --weights FILE"
    )


def _expand(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            files += plain_files(path)
        elif path.is_file():
            files.append(path)
        else:
            raise DataError(f"no such file or folder: {path}")
    if not files:
        raise DataError("no images to label in the paths given")
    return files
