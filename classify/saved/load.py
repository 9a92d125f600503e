"""A model's file to the classifier in it: a head, a linear head alone, or a network."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .linear_model import LINEAR, linear_from
from .model_file import read_parts
from .network_model import tuned_from

if TYPE_CHECKING:
    from .head_model import Model
    from .linear_model import LinearModel
    from .network_model import TunedModel

    SavedModel = Model | TunedModel
    AnyModel = SavedModel | LinearModel


def load_model(
    path: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    trust_joblib: bool = False,
) -> SavedModel:
    """Load a saved classifier without running any code from the file.

    Parameters
    ----------
    path : path
        What ``fit head --out`` or ``fit finetune --out`` wrote.
    weights : path, optional
        Where the backbone's weights lie here; where training found them when None.
    trust_joblib : bool
        Load a head written by joblib too, which may run code from the file.

    Raises
    ------
    ModelError
        If it is no model, damaged, newer than this headstart, or holds types
        that headstart does not put there.
    """
    path = Path(path)
    model = _model_from(*read_parts(path), path, trust_joblib=trust_joblib)
    return model if weights is None else replace(model, weights=os.fspath(weights))


def load_to_label(
    path: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    trust_joblib: bool = False,
) -> AnyModel:
    """Load a saved classifier to label with alone: a linear head without scikit-learn.

    Parameters and errors are those of :func:`load_model`.
    """
    path = Path(path)
    manifest, parts = read_parts(path)
    model: AnyModel
    if LINEAR in parts:
        model = linear_from(manifest, parts, path)
    else:
        model = _model_from(manifest, parts, path, trust_joblib=trust_joblib)
    return model if weights is None else replace(model, weights=os.fspath(weights))


def _model_from(
    manifest: dict[str, Any], parts: dict[str, bytes], path: Path, *, trust_joblib: bool
) -> SavedModel:
    if "network" in manifest:
        return tuned_from(manifest, parts, path)
    from .head_model import head_from  # scikit-learn takes seconds to import

    return head_from(manifest, parts, path, trust_joblib=trust_joblib)
