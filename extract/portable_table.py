"""One portable file of a dataset's features, for use elsewhere: HDF5 (AnnData's), Parquet, NumPy's."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..cache.rows import blocks, take
from ..errors import CacheError, OptionError
from ..storage import replacing
from ..text import shown
from .features import Features, column_names
from .images.images import Dataset, Image
from .source import FeatureSource

TEXT = h5py.string_dtype("utf-8")


@dataclass(frozen=True)
class PortableTable:
    """What every kind of file holds, a row for each image that could be read."""

    X: Any  # (n, d) float32
    images: list[Image]  # (n,)
    digests: list[bytes]  # (n,): SHA-256 of each
    classes: list[str]  # (k,)
    columns: list[str]  # (d,): names of the features
    spec: str  # JSON of what computed them

    @property
    def labels(self) -> list[int]:
        """Index of each image's class, -1 where it has none."""
        index = {name: number for number, name in enumerate(self.classes)}
        return [index.get(image.label, -1) for image in self.images]


def check_table(path: Path) -> None:
    """Check, before anything is extracted, that a file of this ending can be written.

    Raises
    ------
    OptionError
        If the ending is none of :data:`FORMS`, or its library is missing.
    """
    if path.suffix not in FORMS:
        raise OptionError(f"--out {path} must end in one of {', '.join(FORMS)}")
    if FORMS[path.suffix] is _write_parquet:
        try:
            import pyarrow.parquet  # noqa: F401
        except ModuleNotFoundError as error:
            raise OptionError(
                f"--out {path} needs pyarrow: pip install 'headstart[parquet]'"
            ) from error


def write_table(path: Path, dataset: Dataset, features: Features, source: FeatureSource) -> None:
    """Write features, labels, paths, splits, groups, digests and names by the ending of the file.

    Parameters
    ----------
    path : Path
        The file to write, see :func:`check_table`; replaced when it exists.
    dataset : Dataset
        Where labels, paths, splits and groups come from.
    features : Features
        One row for each image that could be read.
    source : FeatureSource
        Its spec goes along.

    Raises
    ------
    CacheError
        If the file cannot be written.
    """
    table = PortableTable(
        features.X,
        [dataset.images[position] for position in features.positions],
        features.digests,
        dataset.classes,
        column_names(source.spec, features.widths),
        source.spec.to_json(),
    )
    try:
        with replacing(path) as temporary:
            FORMS[path.suffix](temporary, table)
    except OSError as error:
        raise CacheError(f"cannot write the table {path}: {error}") from error


def _write_hdf5(path: Path, table: PortableTable) -> None:
    """Write what AnnData reads: ``X``, ``obs`` with a row an image, ``var`` with one a column.

    https://anndata.readthedocs.io/en/stable/fileformat-prose.html
    """
    with h5py.File(path, "w", libver="latest", locking=False) as file:
        _say(file, "anndata", "0.1.0")
        _say(file.create_dataset("X", data=table.X, fletcher32=True), "array")
        obs = _frame(file, "obs", "path", [shown(image.path) for image in table.images])
        _categories(obs, "label", table.labels, table.classes)
        for column in ("split", "group"):
            values = [getattr(image, column) for image in table.images]
            names = sorted({value for value in values if value is not None})
            index = {name: number for number, name in enumerate(names)}
            _categories(obs, column, [index.get(value, -1) for value in values], names)
        _frame(file, "var", "column", table.columns)
        digests = np.frombuffer(b"".join(table.digests), np.uint8).reshape(-1, 32)
        obsm, uns = (_say(file.create_group(name), "dict", "0.1.0") for name in ("obsm", "uns"))
        _say(obsm.create_dataset("digest", data=digests), "array")
        _say(uns.create_dataset("spec", data=table.spec, dtype=TEXT), "string")


def _say(item: Any, kind: str, version: str = "0.2.0") -> Any:
    """Say by which encoding of AnnData's a group or dataset is to be read; return it."""
    item.attrs["encoding-type"], item.attrs["encoding-version"] = kind, version
    return item


def _frame(file: Any, name: str, index: str, values: list[str]) -> Any:
    """Begin a table whose rows have these names."""
    frame = _say(file.create_group(name), "dataframe")
    frame.attrs["_index"], frame.attrs["column-order"] = index, np.array([], TEXT)
    _say(frame.create_dataset(index, data=values, dtype=TEXT), "string-array")
    return frame


def _categories(frame: Any, name: str, codes: list[int], names: list[str]) -> None:
    """Add a column of names to a table; code -1 is none of them."""
    column = _say(frame.create_group(name), "categorical")
    column.attrs["ordered"] = False
    _say(column.create_dataset("codes", data=np.array(codes, np.int32)), "array")
    _say(column.create_dataset("categories", data=names, dtype=TEXT), "string-array")
    frame.attrs["column-order"] = np.array([*frame.attrs["column-order"], name], TEXT)


def _write_parquet(path: Path, table: PortableTable) -> None:
    """Write a row for each image, its features as one list of fixed length in ``embedding``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    d = len(table.columns)
    kept = {"spec": table.spec, "columns": table.columns, "classes": table.classes}
    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("path", "label", "split", "group")),
            ("digest", pa.binary(32)),
            ("embedding", pa.list_(pa.float32(), d)),
        ],
        metadata={"headstart": json.dumps(kept)},
    )
    known = set(table.classes)
    with pq.ParquetWriter(path, schema) as writer:
        for rows in blocks(table.X):
            images, block = table.images[rows], np.asarray(take(table.X, rows), np.float32)
            columns = [
                [shown(image.path) for image in images],
                [image.label if image.label in known else None for image in images],
                [image.split for image in images],
                [image.group for image in images],
                table.digests[rows],
                pa.FixedSizeListArray.from_arrays(block.ravel(), d),
            ]
            writer.write_table(pa.table(columns, schema=schema))


def _write_npz(path: Path, table: PortableTable) -> None:
    """Write an array for each column; none of them needs pickle."""
    with open(path, "wb") as file:  # np.savez adds an ending to a name
        np.savez(
            file,
            features=np.asarray(table.X),
            label=np.array(table.labels, dtype=np.int64),
            digest=np.frombuffer(b"".join(table.digests), np.uint8).reshape(-1, 32),
            path=np.array([shown(image.path) for image in table.images]),
            split=np.array([image.split or "" for image in table.images]),
            group=np.array([image.group or "" for image in table.images]),
            classes=np.array(table.classes),
            columns=np.array(table.columns),
            spec=np.array(table.spec),
        )


# Ending → what writes it.
FORMS: dict[str, Callable[[Path, PortableTable], None]] = {
    ".h5": _write_hdf5,
    ".parquet": _write_parquet,
    ".npz": _write_npz,
}
