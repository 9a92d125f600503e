"""What stands beside a comparison: more photographs, and the state of those there are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ...extract.images.images import Dataset
from ...extract.source import FeatureSource
from ...text import shown
from ..doctor.inspect import inspect
from ..fit.learning_curve import learning_curve
from .kept_outcomes import FOLDER, ResultsCache, fingerprint, result_key
from .run_all import Run

SUBSETS = 3  # of each size of the curve: some four times what one fit takes
LONGEST = 10.0  # seconds of the fit from which on no curve is drawn unasked
TOP = 12  # findings of a kind


def find_curve(dataset: Dataset, run: Run, seed: int) -> dict[str, Any] | None:
    """Return the learning curve of a head: ``model``, ``points``, ``conclusion``.

    Parameters
    ----------
    dataset : Dataset
        With labels.
    run : Run
        Of the head.
    seed : int
        Draws the subsets.

    Returns
    -------
    dict or None
        None for a head that takes longer than ten seconds: ``fit learning-curve`` draws it.
    """
    if run.after_features > LONGEST:
        return None
    source, name = run.bench.source, run.own.name
    settings = {"curve": name, "subsets": SUBSETS, "seed": seed}
    key = result_key(source.spec, fingerprint(run.bench.table), settings)

    def draw() -> dict[str, Any]:
        found = learning_curve(dataset, source, name, SUBSETS, seed)
        return {part: found[part] for part in ("model", "points", "conclusion")}

    return ResultsCache(source.cache / FOLDER).remembered(key, draw)


def find_findings(dataset: Dataset, run: Run, seed: int) -> dict[str, Any]:
    """Return the data doctor's ``summary`` and the first findings of each kind.

    Parameters
    ----------
    dataset : Dataset
        With labels.
    run : Run
        Whose features to look at.
    seed : int
        Seeds the folds of the head that doubts labels.
    """
    source = run.bench.source
    settings = {"doctor": _places(dataset), "top": TOP, "seed": seed}
    key = result_key(source.spec, fingerprint(run.bench.table), settings)
    cache = ResultsCache(source.cache / FOLDER)
    return cache.remembered(key, lambda: _examine(dataset, source, seed))


def _examine(dataset: Dataset, source: FeatureSource, seed: int) -> dict[str, Any]:
    found = inspect(dataset, source, seed)
    whole: Mapping[str, Any] = found.to_dict()
    kinds = ("label_errors", "duplicates", "near_duplicates", "outliers")
    return {"summary": found.summary(), **{kind: whole[kind][:TOP] for kind in kinds}}


def _places(dataset: Dataset) -> str:
    """Return the SHA-256 of where the images lie: findings name them."""
    digest = hashlib.sha256()
    for image in dataset.images:
        digest.update(f"{shown(image.path)}\n".encode())
    return digest.hexdigest()
