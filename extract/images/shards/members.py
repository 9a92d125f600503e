"""An image that lies in a shard as it is: so many bytes from an offset on."""

from __future__ import annotations

import functools
import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from ....errors import DecodeError
from ....storage import attempt, telling
from ..remote import File, Remote, Signature, check_size, open_file

SHARDS_OPEN = 4  # remote ones


@dataclass(frozen=True, slots=True, order=True)
class InShard:
    """An image that lies in a shard; it looks unchanged as long as its shard does."""

    shard: File  # the file

    @property
    def place(self) -> str:
        """Where it lies, behind the shard's address."""
        raise NotImplementedError

    def _bytes(self, seen: Any, limit: int) -> bytes:
        """Return its bytes, of a shard that looks like this."""
        raise NotImplementedError

    def __str__(self) -> str:
        return f"{self.shard}#{self.place}"

    @property
    def name(self) -> str:
        """Its address without the shard's folder."""
        return f"{self.shard.name}#{self.place}"

    def absolute(self) -> Self:
        """Return the same image by the shard's absolute address."""
        return replace(self, shard=self.shard.absolute())

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
        with telling(DecodeError, "cannot read"):
            seen = self.shard.stat()
            data = self._bytes(seen, limit)
        return seen, data


@dataclass(frozen=True, slots=True, order=True)
class Member(InShard):
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

    offset: int
    size: int

    @property
    def place(self) -> str:
        """Offset and size."""
        return f"{self.offset}+{self.size}"

    def _bytes(self, seen: Any, limit: int) -> bytes:
        check_size(self.size, limit)
        if isinstance(self.shard, Path):
            with open(self.shard, "rb") as file:
                data = _cut(file, self.offset, self.size)
        else:
            lock, remote = _opened(self.shard.url, seen)
            with lock:
                data = attempt(lambda: _cut(remote, self.offset, self.size))
        if len(data) < self.size:
            raise DecodeError(f"the shard ends {self.size - len(data):,} bytes too early")
        return data


@functools.lru_cache(SHARDS_OPEN)
def _opened(url: str, signature: Signature) -> tuple[threading.Lock, Any]:
    """Return a remote shard, opened once for all its members, as long as it does not change."""
    return threading.Lock(), open_file(Remote(url, signature))


def _cut(file: Any, offset: int, size: int) -> bytes:
    file.seek(offset)
    return bytes(file.read(size))
