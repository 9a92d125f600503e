"""A file behind a URL: what tells that it has not changed, its bytes, its blocks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from ...errors import DataError, DecodeError
from ...storage import attempt, file_system, telling

BLOCK_BYTES = 4 << 20  # of a remote file, fetched ahead of what is read
BLOCKS = 16  # of one file that stay in memory

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
    """A file behind a URL."""

    url: str  # of any protocol that fsspec knows
    # as a listing told it; looked up when None
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
        with telling(DecodeError, "cannot look up"):
            info = attempt(lambda: system.info(path))
        return signature_of(info)

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
        with telling(DecodeError, "cannot read"):
            data: bytes = attempt(lambda: system.cat_file(path))
        check_size(len(data), limit)
        return signature, data


File: TypeAlias = Path | Remote


def check_size(size: int, limit: int) -> None:
    """Refuse what has too many bytes to be an image.

    Raises
    ------
    DecodeError
        The message is the reason.
    """
    if size > limit:
        raise DecodeError(f"too large: {size:,} bytes, an image has at most {limit:,}")


def open_file(file: File) -> Any:
    """Open a file for reading in any order, a remote one through a cache of blocks.

    Raises
    ------
    DataError
        If it cannot be opened.
    """
    with telling(DataError, f"cannot open {file}"):
        if isinstance(file, Path):
            return open(file, "rb")
        system, path = file_system(file.url)
        ahead = {"block_size": BLOCK_BYTES, "cache_type": "background"}
        blocks = {"maxblocks": BLOCKS}
        return attempt(lambda: system.open(path, "rb", **ahead, cache_options=blocks))
