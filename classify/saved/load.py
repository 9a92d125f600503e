"""A model's file to the classifier in it: a head or a network."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ...extract.backbone.embedded import unpack
from .head_model import Model, head_from
from .model_file import read_parts
from .network_model import TunedModel, tuned_from

SavedModel = Model | TunedModel


def load_model(
    path: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    trust_joblib: bool = False,
    to_label: bool = False,
) -> SavedModel:
    """Load a saved classifier without running any code from the file.

    Parameters
    ----------
    path : path
        What ``fit head --out`` or ``fit finetune --out`` wrote.
    weights : path, optional
        Where the backbone's weights lie here; where training found them, or those inside the
        file, when None.
    trust_joblib : bool
        Load a head written by joblib too, which may run code from the file.
    to_label : bool
        Load what labels alone: a linear head without scikit-learn, whose import takes seconds.

    Raises
    ------
    ModelError
        If it is no model, damaged, newer than this headstart, or holds types
        that headstart does not put there.
    """
    path = Path(path)
    manifest, parts = read_parts(path)
    model: SavedModel
    if "network" in manifest:
        model = tuned_from(manifest, parts, path)
    else:
        model = head_from(manifest, parts, path, trust_joblib=trust_joblib, to_label=to_label)
    inside = unpack(parts, model.spec.weights_sha256)
    own = model.spec.precision == "int8"  # a network in 8 bits is nowhere else
    place = inside if own else weights or inside
    return model if place is None else replace(model, weights=os.fspath(place))
