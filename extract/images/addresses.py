"""Where an image's bytes come from: a file, an object behind a URL, a place inside a shard.

A plain file is a :class:`pathlib.Path`. The other kinds answer as a path does where it matters
(``str``, ``name``, ``stat``, ``absolute``), so that the stat index knows them all alike, and are
small enough to travel to other processes by the million: images of one shard share it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from ...errors import DecodeError
from ...storage import is_url, without_file
from .remote import File, Remote
from .shards.members import Member
from .shards.parquet_rows import Row

AT_ONCE = 32  # objects looked up side by side

_MEMBER = re.compile(r"(.+)#(\d+)\+(\d+)", re.DOTALL)
_ROW = re.compile(r"(.+)#(\d+)", re.DOTALL)
Image = TypeVar("Image")

Reference: TypeAlias = Path | Remote | Member | Row


def file_name(image: Reference) -> str:
    """Return what a file would be called that holds this image alone.

    Examples
    --------
    >>> file_name(Path("cat/1.jpg")), file_name(Member(Path("train-000.tar"), 1024, 53321))
    ('1.jpg', 'train-000-1024')
    """
    if isinstance(image, Path | Remote):
        return image.name
    place = image.offset if isinstance(image, Member) else image.row
    return f"{Path(image.shard.name).stem}-{place}"


def is_remote(image: object) -> bool:
    """Tell whether reading an image waits for a network."""
    file = image.shard if isinstance(image, Member | Row) else image
    return isinstance(file, Remote)


def signed(images: Sequence[Image]) -> Sequence[Image]:
    """Look up the signatures that no listing told, many at once; what fails is left as it is."""
    unsigned = {
        place: image
        for place, image in enumerate(images)
        if isinstance(image, Remote) and image.signature is None
    }
    if not unsigned:
        return images
    looked_up = list(images)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for place, image in zip(unsigned, pool.map(_signed, unsigned.values()), strict=True):
            looked_up[place] = image
    return looked_up


def _signed(image: Any) -> Any:
    try:
        return replace(image, signature=image.stat())
    except DecodeError:
        return image  # reading it will say what is wrong


def reference(address: str | os.PathLike[str]) -> Reference:
    """Return the image that an address names, as ``str`` writes it.

    Parameters
    ----------
    address : str or path
        A path, a URL, ``shard#offset+size`` or ``shard#row``. A file of exactly
        this name goes before a shard's member.

    Examples
    --------
    >>> reference("s3://bucket/train.tar#1024+53321").shard
    Remote(url='s3://bucket/train.tar', signature=None)
    """
    text = without_file(os.fspath(address))
    if not is_url(text) and os.path.lexists(text):
        return Path(text)
    if member := _MEMBER.fullmatch(text):
        return Member(_file(member[1]), int(member[2]), int(member[3]))
    if row := _ROW.fullmatch(text):
        return Row(_file(row[1]), int(row[2]))
    return _file(text)


def _file(text: str) -> File:
    return Remote(text) if is_url(text) else Path(text)
