"""Photographs to an evaluated head: features, split, choice, fit, one evaluation."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extract.dataset import Dataset
from ..extract.features import Features, FeatureSource, load_features
from ..extract.pipeline import Progress, check_failures
from .evaluate import Evaluation, evaluate
from .heads import Head, find_head
from .model import Model
from .select import Choice, choose, fit_calibrated, make_folds, predict_proba
from .split import Split, split_images
from .taps import TapSelector


@dataclass(frozen=True)
class Table:
    """A dataset as numbers.

    Parameters
    ----------
    X : ndarray, shape (n, d), float32
        Features.
    y : ndarray of int, shape (n,)
        Indices into ``classes``.
    groups : ndarray of int, shape (n,)
        Equal for images that must not be parted.
    classes : list of str
        Class names, sorted.
    paths : list of Path, length n
        The images.
    split : Split
        Which rows train, which evaluate.
    features : Features
        Where they came from.
    taps : TapSelector or None
        What the columns are where there are several layers or views.
    warnings : list of str
        Everything worth telling so far.
    """

    X: NDArray[np.float32]
    y: NDArray[np.intp]
    groups: NDArray[np.intp]
    classes: list[str]
    paths: list[Path]
    split: Split
    features: Features
    taps: TapSelector | None
    warnings: list[str]


@dataclass(frozen=True)
class FittedHead:
    """One head, chosen, fitted and evaluated.

    Parameters
    ----------
    head : Head
        Row of the table of heads.
    choice : Choice
        What cross-validation chose.
    estimator : CalibratedClassifierCV
        Fitted on all rows of the fitting part.
    probabilities : ndarray, shape (n evaluation, k)
        On the evaluation split.
    evaluation : Evaluation
        Their metrics.
    seconds : float
        Choice and fit together, wall time.
    """

    head: Head
    choice: Choice
    estimator: Any
    probabilities: NDArray[np.float64]
    evaluation: Evaluation
    seconds: float


def load_table(
    dataset: Dataset,
    source: FeatureSource,
    max_failures: str | None = None,
    progress: Progress = lambda done, total: None,
) -> Table:
    """Extract what is missing and lay a dataset out as numbers.

    Raises
    ------
    DataError
        If too many images failed or the splits cannot be used.
    """
    features = load_features([image.path for image in dataset.images], source, progress)
    check_failures(features.extraction, max_failures)
    images = [dataset.images[i] for i in features.positions]
    split = split_images(images, features.digests)
    kept = np.concatenate([split.train, split.joining, split.evaluation])
    classes = sorted({images[i].label for i in kept})
    index = {name: i for i, name in enumerate(classes)}
    failures = features.extraction.failures
    failed = [f"{len(failures)} images could not be used and are left out"] if failures else []
    return Table(
        X=features.X,
        y=np.array([index[image.label] for image in images], dtype=np.intp),
        groups=_groups([image.group for image in images], features.digests),
        classes=classes,
        paths=[image.path for image in images],
        split=split,
        features=features,
        taps=_taps(features.widths, len(source.spec.views)),
        warnings=[*dataset.warnings, *features.warnings, *failed, *split.warnings],
    )


def fit_head(head: Head, table: Table, seed: int) -> FittedHead:
    """Choose on the training split, fit, evaluate once.

    Parameters
    ----------
    head : Head
        Row of the table of heads.
    table : Table
        From :func:`load_table`.
    seed : int
        Seeds folds and estimator.
    """
    begin = time.perf_counter()
    train, fitting = table.split.train, table.split.fitting
    folds = make_folds(table.y[train], table.groups[train], seed)
    choice = choose(head, table.X[train], table.y[train], folds, seed, table.taps)
    if len(fitting) > len(train):
        folds = make_folds(table.y[fitting], table.groups[fitting], seed)
    estimator = fit_calibrated(choice, table.X[fitting], table.y[fitting], folds)
    seconds = time.perf_counter() - begin
    rows = table.split.evaluation
    probabilities = predict_proba(estimator, table.X[rows])
    evaluation = evaluate(table.y[rows], probabilities, table.split.name)
    return FittedHead(head, choice, estimator, probabilities, evaluation, seconds)


def fit_heads(
    dataset: Dataset,
    source: FeatureSource,
    names: Sequence[str],
    seed: int,
    stage: Callable[[str], Progress],
    out: Path | None = None,
    max_failures: str | None = None,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Run ``fit head``: one record a head and warnings; save the best where told.

    The best is the one with the best cross-validated accuracy.

    Parameters
    ----------
    dataset : Dataset
        With labels.
    source : FeatureSource
        What to extract.
    names : sequence of str
        Names in the table of heads.
    seed : int
        Seeds folds and estimators.
    stage : callable
        Told what runs; returns where to tell its progress.
    out : Path, optional
        File for the best classifier.
    max_failures : str, optional
        See :func:`headstart.extract.pipeline.check_failures`.
    """
    heads = [find_head(name) for name in names]  # a typing error must not cost an extraction
    table = load_table(dataset, source, max_failures, stage("extracting"))
    fitted = []
    for head in heads:
        stage(f"fitting {head.name}")
        fitted.append(fit_head(head, table, seed))
    best = max(fitted, key=lambda one: one.choice.cv.mean)
    records = [head_record(one, table, seed, out if one is best else None) for one in fitted]
    if out is not None:
        to_model(best, table, source, records[fitted.index(best)]).save(out)
    remarks = [line for one in fitted for line in one.choice.warnings]
    return records, [*table.warnings, *remarks]


def head_record(fitted: FittedHead, table: Table, seed: int, path: Path | None) -> dict[str, Any]:
    """Return the ``fit head`` contract for one head."""
    return {
        "model": fitted.head.name,
        "params": fitted.choice.params,
        "cv": fitted.choice.cv.to_dict(),
        "evaluation": fitted.evaluation.to_dict(),
        "seconds": {
            "features": round(table.features.extraction.seconds, 3),
            "fit": round(fitted.seconds, 3),
        },
        "classes": table.classes,
        "path": None if path is None else str(path),
        "seed": seed,
    }


def to_model(
    fitted: FittedHead, table: Table, source: FeatureSource, record: dict[str, Any]
) -> Model:
    """Return the fitted head as a classifier that can be saved."""
    weights = source.options.weights
    return Model(
        name=fitted.head.name,
        estimator=fitted.estimator,
        classes=table.classes,
        spec=source.spec,
        weights=weights if weights == "imagenet" else str(Path(weights).absolute()),
        record=record,
    )


def _taps(widths: tuple[int, ...], views: int) -> TapSelector | None:
    if len(widths) == views == 1:
        return None
    return TapSelector(widths, views)


def _groups(named: Sequence[str | None], digests: Sequence[bytes]) -> NDArray[np.intp]:
    """Give each group a number; an image without one goes with its exact copies."""
    keys = [name or digest.hex() for name, digest in zip(named, digests, strict=True)]
    numbers: NDArray[np.intp] = np.unique(keys, return_inverse=True)[1]
    return numbers
