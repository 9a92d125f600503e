"""An image that lies in a shard as it is: so many bytes from an offset on."""

from __future__ import annotations

import functools
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....errors import DecodeError
from ....storage import attempt, why
from ..remote import File, Remote, Signature, check_size, open_file

SHARDS_OPEN = 4  # remote ones


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

    shard: File
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


@functools.lru_cache(SHARDS_OPEN)
def _opened(url: str, signature: Signature) -> tuple[threading.Lock, Any]:
    """Return a remote shard, opened once for all its members, as long as it does not change."""
    return threading.Lock(), open_file(Remote(url, signature))


def _cut(file: Any, offset: int, size: int) -> bytes:
    file.seek(offset)
    return bytes(file.read(size))
