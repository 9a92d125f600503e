"""An image that is a row of a Parquet file: rows are read in passing, each once."""

from __future__ import annotations

import collections
import functools
import json
import threading
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....cache.statindex import fingerprint
from ....errors import DataError, DecodeError, OptionError
from ..remote import File, check_size, open_file
from .members import InShard

BATCH = 16  # rows read together
AHEAD_BYTES = 128 << 20  # of images that were read on the way to others: threads take turns
BUFFER_BYTES = 1 << 20  # a column is streamed in such pieces, however large its row group
FILES_OPEN = 2
IMAGES = ("image", "img", "jpg", "jpeg", "png")


@dataclass(frozen=True, slots=True, order=True)
class Row(InShard):
    """An image in a row of a Parquet file.

    Parameters
    ----------
    shard : Path or Remote
        The file.
    row : int
        Counted from 0 over all row groups.
    """

    row: int

    @property
    def place(self) -> str:
        """The row."""
        return str(self.row)

    def _bytes(self, seen: Any, limit: int) -> bytes:
        data = read_row(self.shard, seen, self.row)
        check_size(len(data), limit)
        return data


def read_row(shard: File, signature: Any, row: int) -> bytes:
    """Return the bytes of one image.

    Rows are read as they stand in the file, and those passed on the way are kept, so that
    images asked for in about this order, by any number of threads, are read once.

    Raises
    ------
    DecodeError
        If the row holds no bytes.
    """
    data = _window(shard, fingerprint(signature)).read(row)
    if data is None:
        raise DecodeError("the row holds no image bytes")
    return data


class _Window:
    """A reader of a Parquet file, and the images between the last rows asked for."""

    def __init__(self, shard: File) -> None:
        self._lock = threading.Lock()
        file = open_file(shard)
        weakref.finalize(self, file.close)
        self._parquet = open_parquet(file)
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
def _window(shard: File, looks: tuple[int, ...]) -> _Window:
    """Return a file's window, as long as the file does not change."""
    del looks
    return _Window(shard)


def forget() -> None:
    """Close the files that are kept open."""
    _window.cache_clear()


def open_parquet(file: Any) -> Any:
    """Open a Parquet file by pyarrow.

    Raises
    ------
    OptionError
        If pyarrow is missing.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise OptionError("Parquet needs pyarrow: pip install 'headstart[parquet]'") from error
    return parquet.ParquetFile(file, buffer_size=BUFFER_BYTES, pre_buffer=False)


def described(schema: Any) -> dict[str, Any]:
    """Return what Hugging Face's metadata says of each column."""
    try:
        document = json.loads((schema.metadata or {})[b"huggingface"])
        return dict(document["info"]["features"])
    except (KeyError, TypeError, ValueError):
        return {}


def image_column(schema: Any, shard: File) -> str:
    """Return the name of the column that holds images.

    Raises
    ------
    DataError
        If there is none or it is not clear which; the message names the columns.
    """
    features = described(schema)
    able = [field.name for field in schema if _holds_bytes(field.type)]
    as_images = [n for n in able if features.get(n, {}).get("_type") == "Image"]
    named = [name for name in IMAGES if name in able]
    for some in (as_images, named[:1], able):
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
        return any(field.name == "bytes" for field in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))
