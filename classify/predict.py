"""Labels for new images."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import DataError, ModelError
from ..extract.dataset import plain_files
from ..extract.features import FeatureOptions, feature_source, load_features, options_for
from ..extract.pipeline import Failure, Progress
from .abstain import Abstainer
from .model import Model


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
    model: Model,
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
    features = load_features(files, source, progress)
    if not features.positions:
        return [], features.extraction.failures
    probabilities = model.predict_proba(features.X)
    abstained = np.zeros(len(features.X), dtype=bool)
    if threshold is not None:
        abstained = abstainer_of(model).judge(features.X, probabilities) < threshold
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    predictions = [
        Prediction(files[at], [(model.classes[c], float(row[c])) for c in best], bool(unsure))
        for at, row, best, unsure in zip(
            features.positions, probabilities, order, abstained, strict=True
        )
    ]
    return predictions, features.extraction.failures


def abstainer_of(model: Model) -> Abstainer:
    """Return what a model abstains by.

    Raises
    ------
    ModelError
        If it was saved without.
    """
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
