"""Datasets and saved classifiers, as they are named or as they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..extract.images.dataset import read_dataset, read_photographs
from ..extract.images.images import Dataset
from ..extract.images.manifest_table import read_columns
from ..extract.photographs import Photographs, list_photographs
from ..progress import note
from .options import Place

if TYPE_CHECKING:
    from ..classify.predict.classifier import Classifier
    from ..classify.saved.load import SavedModel


def open_data(
    data: Place | Dataset,
    columns: str | None = None,
    *,
    needs_labels: bool = True,
    tell: bool = True,
) -> Dataset:
    """Read a dataset, and tell how it was understood; one that was read is returned.

    Raises
    ------
    DataError
        If nothing usable is there.
    OptionError
        If ``columns`` is not understood.
    """
    if isinstance(data, Dataset):
        return data
    read = read_dataset if needs_labels else read_photographs
    dataset = read(os.fspath(data), None if columns is None else read_columns(columns))
    if tell:
        note(dataset.read_as)
    return dataset


def open_photographs(data: Place, columns: str | None = None) -> Photographs:
    """List images that need no labels, and say how they were understood; the errors are the same."""
    photographs = list_photographs(data, None if columns is None else read_columns(columns))
    note(photographs.read_as)
    return photographs


def open_model(
    model: Place | Classifier,
    weights: Place | None = None,
    *,
    trust_joblib: bool = False,
    to_label: bool = False,
) -> SavedModel:
    """Load a saved classifier; of one that was loaded, return what it holds.

    The parameters are those of :func:`headstart.classify.saved.load.load_model`.

    Raises
    ------
    ModelError
        If it is no model, damaged, or made with other weights than those here.
    """
    from ..classify.predict.classifier import Classifier
    from ..classify.saved.load import load_model

    if isinstance(model, Classifier):
        return model.model
    return load_model(model, weights=weights, trust_joblib=trust_joblib, to_label=to_label)


def path_of(place: Place | None) -> Path | None:
    """Return where to write, if anywhere."""
    return None if place is None else Path(place)
