"""One portable HDF5 file of a dataset's features, for use outside headstart."""

from __future__ import annotations

import os
from pathlib import Path

import h5py

from ..errors import CacheError
from ..storage import replacing
from .features import Features
from .images.images import Dataset
from .source import FeatureSource


def write_table(path: Path, dataset: Dataset, features: Features, source: FeatureSource) -> None:
    """Write ``features``, ``label`` (-1 where there is none), ``path``, ``split`` and ``classes``.

    Parameters
    ----------
    path : Path
        The file to write; replaced when it exists.
    dataset : Dataset
        Where labels, paths and splits come from.
    features : Features
        One row for each image that could be read.
    source : FeatureSource
        Its spec becomes an attribute.

    Raises
    ------
    CacheError
        If the file cannot be written.
    """
    images = [dataset.images[i] for i in features.positions]
    classes = dataset.classes
    index = {name: i for i, name in enumerate(classes)}
    text = h5py.string_dtype("utf-8")
    try:
        with (
            replacing(path) as temporary,
            h5py.File(temporary, "w", libver="latest", locking=False) as file,
        ):
            file.attrs["spec"] = source.spec.to_json()
            file.create_dataset("features", data=features.X, fletcher32=True)
            file["label"] = [index.get(image.label, -1) for image in images]
            for name, values in {
                "path": [os.fsencode(str(image.path)) for image in images],
                "split": [image.split or "" for image in images],
                "classes": classes,
            }.items():
                file.create_dataset(name, data=values, dtype=text)
    except OSError as error:
        raise CacheError(f"cannot write the table {path}: {error}") from error
