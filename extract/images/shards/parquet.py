"""Parquet with image bytes, as Hugging Face datasets store them.

``image`` is a struct of ``bytes`` and ``path``, or plain binary; ``label`` a number, whose names
the file's own metadata has (https://huggingface.co/docs/datasets/about_dataset_features), or text.
"""

from __future__ import annotations

import collections
import functools
import json
import threading
import weakref
from collections.abc import Iterable
from typing import Any

import numpy as np

from ....errors import DataError, DecodeError, OptionError
from ..addresses import Row, Shard, open_shard
from .sample import Sample

BATCH = 16  # rows read together
AHEAD_BYTES = 128 << 20  # of images that were read on the way to others: threads take turns
BUFFER_BYTES = 1 << 20  # a column is streamed in such pieces, however large its row group
FILES_OPEN = 2
IMAGES = ("image", "img", "jpg", "jpeg", "png")
LABELS = ("label", "labels", "class", "cls")


def recognise(head: bytes) -> bool:
    """Tell a Parquet file by its magic."""
    return head[:4] == b"PAR1"


def read(shard: Shard, file: Any, warnings: list[str]) -> list[Sample]:
    """Return the samples of a Parquet file; only the column of labels is read.

    Raises
    ------
    DataError
        If there is no column of images, or it is not clear which one is meant.
    """
    parquet = _parquet_file(file)
    schema = parquet.schema_arrow
    features = _described(schema)
    image_column(schema, shard)
    column = _label_column(schema, features)
    rows = range(parquet.metadata.num_rows)
    if column is None:
        return [Sample(Row(shard, row), None, f"row {row}") for row in rows]
    names = features.get(column, {}).get("names")
    labels = parquet.read(columns=[column]).column(0).to_pylist()
    # Hugging Face writes -1 where the label is kept secret.
    unlabelled = [row for row in rows if labels[row] is None or labels[row] == -1]
    if 0 < len(unlabelled) < len(labels):
        warnings.append(f"{shard}: {len(unlabelled)} rows have no label: left out")
        rows = sorted(set(rows) - set(unlabelled))  # type: ignore[assignment]
    return [
        Sample(Row(shard, row), _label(labels[row], names, shard, column), f"row {row}")
        for row in rows
    ]


def read_row(shard: Shard, signature: Any, row: int) -> bytes:
    """Return the bytes of one image.

    Rows are read as they stand in the file, and those passed on the way are kept, so that
    images asked for in about this order, by any number of threads, are read once.

    Raises
    ------
    DecodeError
        If the row holds no bytes.
    """
    data = _window(shard, _fingerprint(signature)).read(row)
    if data is None:
        raise DecodeError("the row holds no image bytes")
    return data


class _Window:
    """A reader of a Parquet file, and the images between the last rows asked for."""

    def __init__(self, shard: Shard) -> None:
        self._lock = threading.Lock()
        file = open_shard(shard)
        weakref.finalize(self, file.close)
        self._parquet = _parquet_file(file)
        self._column = image_column(self._parquet.schema_arrow, shard)
        sizes = [
            self._parquet.metadata.row_group(group).num_rows
            for group in range(self._parquet.metadata.num_row_groups)
        ]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
        self._kept: collections.OrderedDict[int, bytes | None] = collections.OrderedDict()
        self._bytes = 0  # in what is kept
        self._ahead: Any = iter(())
        self._at = -1  # the row that comes next; -1 before anything was read

    def read(self, row: int) -> bytes | None:
        """Return a row's image."""
        if not 0 <= row < self._starts[-1]:
            raise DecodeError(f"the shard has {self._starts[-1]:,} rows")
        with self._lock:
            while row not in self._kept:
                self._advance(row)
            return self._take(row)

    def _advance(self, row: int) -> None:
        """Read the next batch on the way to a row, from its row group on at the latest."""
        group = int(np.searchsorted(self._starts, row, side="right")) - 1
        if not self._starts[group] <= self._at <= row:
            self._at = int(self._starts[group])
            self._ahead = self._parquet.iter_batches(
                BATCH,
                row_groups=range(group, len(self._starts) - 1),
                columns=[self._column],
                use_threads=False,
            )
        column = next(self._ahead).column(0)
        images = column.field("bytes") if hasattr(column, "field") else column
        for image in images.to_pylist():
            if self._at in self._kept:
                self._take(self._at)
            self._kept[self._at] = image
            self._bytes += len(image or b"")
            self._at += 1
        for passed in [*self._kept]:
            if self._bytes <= AHEAD_BYTES or passed == row:
                return
            self._take(passed)

    def _take(self, row: int) -> bytes | None:
        image = self._kept.pop(row)
        self._bytes -= len(image or b"")
        return image


@functools.lru_cache(FILES_OPEN)
def _window(shard: Shard, fingerprint: tuple[int, ...]) -> _Window:
    """Return a file's window, as long as the file does not change."""
    del fingerprint
    return _Window(shard)


def forget() -> None:
    """Close the files that are kept open."""
    _window.cache_clear()


def _fingerprint(signature: Any) -> tuple[int, ...]:
    return (
        signature.st_size,
        signature.st_mtime_ns,
        signature.st_ctime_ns,
        signature.st_ino,
    )


def _parquet_file(file: Any) -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise OptionError("Parquet needs pyarrow: pip install 'headstart[parquet]'") from error
    return parquet.ParquetFile(file, buffer_size=BUFFER_BYTES, pre_buffer=False)


def _described(schema: Any) -> dict[str, Any]:
    """Return what Hugging Face's metadata says of each column."""
    try:
        told = json.loads((schema.metadata or {})[b"huggingface"])
        return dict(told["info"]["features"])
    except (KeyError, TypeError, ValueError):
        return {}


def image_column(schema: Any, shard: Shard) -> str:
    """Return the name of the column that holds images.

    Raises
    ------
    DataError
        If there is none or it is not clear which; the message names the columns.
    """
    features = _described(schema)
    able = [field.name for field in schema if _holds_bytes(field.type)]
    described = [n for n in able if features.get(n, {}).get("_type") == "Image"]
    named = [name for name in IMAGES if name in able]
    for some in (described, named[:1], able):
        if len(some) == 1:
            return some[0]
    columns = ", ".join(f"{field.name}: {field.type}" for field in schema)
    raise DataError(
        f"{shard}: expected one column of image bytes (a binary column, or a struct with 'bytes'), "
        f"named image where there are several; got {columns}"
    )


def _holds_bytes(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return any(kind.field(at).name == "bytes" for at in range(kind.num_fields))
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _label_column(schema: Any, features: dict[str, Any]) -> str | None:
    """Return the column of labels: by its usual name, else the only one of class labels."""
    usual = [name for name in LABELS if name in schema.names]
    described = [name for name, what in features.items() if what.get("_type") == "ClassLabel"]
    for some in (usual[:1], described):
        if len(some) == 1:
            return some[0]
    return None


def _label(value: Any, names: Iterable[str] | None, shard: Shard, column: str) -> str | int | None:
    if value is None or value == -1:
        return None
    if isinstance(value, str) and value:
        return value
    if not isinstance(value, int) or isinstance(value, bool):
        raise DataError(
            f"{shard}: expected names or numbers of classes in the column {column}, got {value!r}"
        )
    if names is None:
        return value
    known = list(names)
    if not 0 <= value < len(known):
        raise DataError(f"{shard}: label {value} in the column {column} has no name")
    return known[value]
