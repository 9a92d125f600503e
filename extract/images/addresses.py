"""Where an image's bytes come from: a file, an object behind a URL, a place inside a shard.

A plain file is a :class:`pathlib.Path`. The other kinds answer as a path does where it matters
(``str``, ``name``, ``stat``, ``absolute``), so that the stat index knows them all alike, and are
small enough to travel to other processes by the million: images of one shard share it.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

from ...errors import DataError, DecodeError
from ...storage import attempt, file_system, is_url, why, without_file

BLOCK_BYTES = 4 << 20  # of a remote shard, fetched ahead of what is read
BLOCKS = 16  # of one shard that stay in memory
SHARDS_OPEN = 4  # remote ones
AT_ONCE = 32  # objects looked up side by side

_MEMBER = re.compile(r"(.+)#(\d+)\+(\d+)", re.DOTALL)
_ROW = re.compile(r"(.+)#(\d+)", re.DOTALL)
Image = TypeVar("Image")

_NEVER_AT_REST = 2**62  # nanoseconds: longer ahead than any clock will show


class Signature(NamedTuple):
    """What tells that a remote file has not changed, named as ``os.stat`` names it."""

    st_size: int
    st_mtime_ns: int
    st_ctime_ns: int
    st_ino: int


def signature_of(info: Mapping[str, Any]) -> Signature:
    """Return the signature in what a file system tells of a file.

    Its ETag or generation decides, else its size and time, which counts as uncertain for a
    minute: a server's clock is not ours. Without any of these the file is read every time.

    Parameters
    ----------
    info : mapping
        As fsspec's ``info`` and listings have it; the names differ by protocol.

    Examples
    --------
    >>> first = signature_of({"size": 3, "ETag": '"5d41"'})
    >>> first == signature_of({"size": 3, "ETag": '"5d41"'})
    True
    >>> first == signature_of({"size": 3, "ETag": '"7d79"'})
    False
    """
    size = int(info.get("size") or 0)
    tag = next((info[name] for name in ("ETag", "etag", "generation") if info.get(name)), None)
    if tag is not None:
        digest = hashlib.sha256(str(tag).encode()).digest()
        return Signature(size, 0, 0, int.from_bytes(digest[:7], "big"))
    times = ("LastModified", "last_modified", "mtime", "updated", "Last-Modified", "created")
    time = next((info[name] for name in times if info.get(name)), None)
    if time is None:
        return Signature(size, 0, _NEVER_AT_REST, 0)
    seconds = int(_seconds(time))
    return Signature(size, seconds * 10**9, (seconds + 60) * 10**9, 0)


def _seconds(time: Any) -> float:
    """Return seconds since the epoch of a time as some file system tells it."""
    if isinstance(time, datetime):
        return time.timestamp()
    if isinstance(time, str):
        try:
            return datetime.fromisoformat(time).timestamp()
        except ValueError:
            return parsedate_to_datetime(time).timestamp()
    return float(time)


@dataclass(frozen=True, slots=True, order=True)
class Remote:
    """A file behind a URL.

    Parameters
    ----------
    url : str
        Of any protocol that fsspec knows.
    signature : Signature, optional
        As a listing told it; looked up when None.
    """

    url: str
    signature: Signature | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        """What follows the last slash."""
        return self.url.rstrip("/").rpartition("/")[2]

    def absolute(self) -> Remote:
        """Return itself: a URL is absolute."""
        return self

    def stat(self) -> Signature:
        """Return what tells that it has not changed.

        Raises
        ------
        DecodeError
            If it cannot be looked up; the message is the reason.
        """
        if self.signature is not None:
            return self.signature
        system, path = file_system(self.url)
        try:
            return signature_of(attempt(lambda: system.info(path)))
        except Exception as error:  # every file system has its own
            raise DecodeError(f"cannot look up: {why(error)}") from error

    def read(self, limit: int) -> tuple[Signature, bytes]:
        """Return the signature and all bytes.

        Raises
        ------
        DecodeError
            If it has more bytes than the limit or cannot be read.
        """
        signature = self.stat()
        check_size(signature.st_size, limit)
        system, path = file_system(self.url)
        try:
            data: bytes = attempt(lambda: system.cat_file(path))
        except Exception as error:  # every file system has its own
            raise DecodeError(f"cannot read: {why(error)}") from error
        check_size(len(data), limit)
        return signature, data


Shard: TypeAlias = Path | Remote


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """An image inside a shard, as it stands there: so many bytes from an offset on.

    Parameters
    ----------
    shard : Path or Remote
        A tar file or TFRecord.
    offset, size : int
        In bytes.

    Examples
    --------
    >>> str(Member(Path("train-000.tar"), 1024, 53321))
    'train-000.tar#1024+53321'
    """

    shard: Shard
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.shard}#{self.offset}+{self.size}"

    @property
    def name(self) -> str:
        """Its address without the shard's folder."""
        return f"{self.shard.name}#{self.offset}+{self.size}"

    def absolute(self) -> Member:
        """Return the same member by the shard's absolute address."""
        return Member(self.shard.absolute(), self.offset, self.size)

    def stat(self) -> os.stat_result | Signature:
        """Return what tells that its shard has not changed."""
        return self.shard.stat()

    def read(self, limit: int) -> tuple[os.stat_result | Signature, bytes]:
        """Return the shard's signature and the member's bytes.

        Raises
        ------
        DecodeError
            If it has more bytes than the limit or cannot be read.
        """
        check_size(self.size, limit)
        try:
            seen = self.shard.stat()
            if isinstance(self.shard, Path):
                with open(self.shard, "rb") as file:
                    data = _cut(file, self.offset, self.size)
            else:
                lock, file = _opened(self.shard.url, seen)
                with lock:
                    data = attempt(lambda: _cut(file, self.offset, self.size))
        except DecodeError:
            raise
        except Exception as error:  # every file system has its own
            raise DecodeError(f"cannot read: {why(error)}") from error
        if len(data) < self.size:
            raise DecodeError(f"the shard ends {self.size - len(data):,} bytes too early")
        return seen, data


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """An image in a row of a Parquet file.

    Parameters
    ----------
    shard : Path or Remote
        The file.
    row : int
        Counted from 0 over all row groups.
    """

    shard: Shard
    row: int

    def __str__(self) -> str:
        return f"{self.shard}#{self.row}"

    @property
    def name(self) -> str:
        """Its address without the shard's folder."""
        return f"{self.shard.name}#{self.row}"

    def absolute(self) -> Row:
        """Return the same row by the shard's absolute address."""
        return Row(self.shard.absolute(), self.row)

    def stat(self) -> os.stat_result | Signature:
        """Return what tells that its shard has not changed."""
        return self.shard.stat()

    def read(self, limit: int) -> tuple[os.stat_result | Signature, bytes]:
        """Return the shard's signature and the image's bytes.

        Raises
        ------
        DecodeError
            If it has more bytes than the limit or cannot be read.
        """
        from .shards.parquet import read_row

        try:
            seen = self.shard.stat()
            data = read_row(self.shard, seen, self.row)
        except DecodeError:
            raise
        except Exception as error:  # pyarrow's and every file system's own
            raise DecodeError(f"cannot read: {why(error)}") from error
        check_size(len(data), limit)
        return seen, data


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
    at = [i for i, one in enumerate(images) if isinstance(one, Remote) and one.signature is None]
    if not at:
        return images
    found = list(images)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for i, one in zip(at, pool.map(_signed, [images[i] for i in at]), strict=True):
            found[i] = one
    return found


def _signed(image: Any) -> Any:
    try:
        return replace(image, signature=image.stat())
    except DecodeError:
        return image  # reading it will say what is wrong


def check_size(size: int, limit: int) -> None:
    """Refuse what has too many bytes to be an image.

    Raises
    ------
    DecodeError
        The message is the reason.
    """
    if size > limit:
        raise DecodeError(f"too large: {size:,} bytes, an image has at most {limit:,}")


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
    if found := _MEMBER.fullmatch(text):
        return Member(_shard(found[1]), int(found[2]), int(found[3]))
    if found := _ROW.fullmatch(text):
        return Row(_shard(found[1]), int(found[2]))
    return _shard(text)


def open_shard(shard: Shard) -> Any:
    """Open a shard for reading in any order, a remote one through a cache of blocks.

    Raises
    ------
    DataError
        If it cannot be opened.
    """
    try:
        if isinstance(shard, Path):
            return open(shard, "rb")
        system, path = file_system(shard.url)
        return attempt(
            lambda: system.open(
                path,
                "rb",
                block_size=BLOCK_BYTES,
                cache_type="background",
                cache_options={"maxblocks": BLOCKS},
            )
        )
    except Exception as error:  # every file system has its own
        raise DataError(f"cannot open {shard}: {why(error)}") from error


@functools.lru_cache(SHARDS_OPEN)
def _opened(url: str, signature: Signature) -> tuple[threading.Lock, Any]:
    """Return a remote shard, opened once for all its members, as long as it does not change."""
    return threading.Lock(), open_shard(Remote(url, signature))


def _cut(file: Any, offset: int, size: int) -> bytes:
    file.seek(offset)
    return bytes(file.read(size))


def _shard(text: str) -> Shard:
    return Remote(text) if is_url(text) else Path(text)
