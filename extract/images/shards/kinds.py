"""Shards: files that hold many images. The table of their kinds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ....errors import DataError, OptionError
from ....storage import why
from ..remote import File, open_file
from . import parquet, tfrecord, webdataset
from .listing import Listing, look, recall, remember
from .sample import Sample

HEAD = 512  # bytes that tell a kind: a tar's whole first header


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of shard."""

    name: str  # as its makers write it
    ending: str  # what its files' names end with; a regular expression
    recognise: Callable[[bytes], bool]  # the first 512 bytes to whether they are of this kind
    # (shard, opened file, list that takes warnings) to samples
    read: Callable[[File, Any, list[str]], list[Sample]]


KINDS = (
    Kind("WebDataset", r"\.tar", webdataset.recognise, webdataset.read),
    Kind("Parquet", r"\.parquet", parquet.recognise, parquet.read),
    Kind("TFRecord", r"\.tfrecords?", tfrecord.recognise, tfrecord.read),
)
_PART = r"(?:-\d+-of-\d+)?$"  # train.tfrecord-00000-of-00010
_PACKED = re.compile(
    r"\.(?:tar|parquet|tfrecords?)\.?(?:gz|bz2|xz|zst)$|\.t[gbx]z2?$", re.IGNORECASE
)


def kind_named(file: File) -> Kind | None:
    """Return the kind that a file's name ends like.

    Examples
    --------
    >>> from pathlib import Path
    >>> kind_named(Path("train.tfrecord-00000-of-00010")).name
    'TFRecord'
    >>> kind_named(Path("cat.jpg"))
    """
    name = str(file)
    return next((k for k in KINDS if re.search(k.ending + _PART, name, re.IGNORECASE)), None)


def kind_of(file: File) -> Kind | None:
    """Return a file's kind by its first bytes; None when it is no shard.

    Raises
    ------
    DataError
        If it cannot be opened, or its name promises a shard and its bytes are something else.
    """
    head = _head(file)
    kind = next((kind for kind in KINDS if kind.recognise(head)), None)
    if kind is None and _PACKED.search(str(file)):
        raise DataError(f"{file} is compressed, so that no image in it has an address: unpack it")
    named = kind_named(file)
    if kind is None and named is not None:
        raise DataError(f"{file} is no {named.name} file (begins with {head[:8]!r})")
    return kind


def list_shard(shard: File) -> Listing | None:
    """Return the images of a shard; no image is decoded.

    A shard that has not changed since it was last listed is not opened.

    Parameters
    ----------
    shard : Path or Remote
        A file.

    Returns
    -------
    Listing or None
        None when it is no shard.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    known = recall(shard)
    if known is not None:
        return known
    try:
        seen, now = look(shard)
        kind = kind_of(shard)
        if kind is None:
            return None
        warnings: list[str] = []
        with open_file(shard) as file:
            listing = Listing(kind.name, kind.read(shard, file, warnings), warnings)
    except (DataError, OptionError):
        raise
    except Exception as error:  # the network's, or what damaged bytes lead a reader to
        raise DataError(f"cannot read {shard}: {why(error)}") from error
    remember(shard, seen, now, listing)
    return listing


def _head(file: File) -> bytes:
    with open_file(file) as opened:
        return bytes(opened.read(HEAD))
