"""Which images some process of this machine is computing just now.

A record lock for each image, on a byte whose place its digest decides. The
kernel drops a process's locks when it dies, however it dies, so no claim
outlives its holder. Where there are no locks, and between machines, every claim
succeeds: two processes may then compute the same image, which costs time and
harms nothing.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Self

if sys.platform != "win32":
    import fcntl

_TAKEN = (errno.EACCES, errno.EAGAIN)


class Claims:
    """Claims of this process on images of one spec. A context manager; leaving it drops them.

    Parameters
    ----------
    path : Path
        The file that is locked, on a local disk; made when missing, and always empty.
    folder : Path
        The spec's folder in the cache.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self._scope = os.fsencode(folder.resolve())
        self._file: int | None = None
        if sys.platform != "win32":
            with contextlib.suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def claim(self, digest: bytes) -> bool:
        """Claim an image; False when another process has it."""
        if sys.platform == "win32" or self._file is None:
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self._place(digest))
        except OSError as error:
            return error.errno not in _TAKEN
        return True

    def release(self, digests: Iterable[bytes]) -> None:
        """Drop claims: their features are committed, or cannot be had."""
        if sys.platform == "win32" or self._file is None:
            return
        for digest in digests:
            with contextlib.suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, self._place(digest))

    def wait(self, digest: bytes) -> None:
        """Return once no other process has this image: it was committed, or its holder is gone."""
        if sys.platform == "win32" or self._file is None:
            return
        with contextlib.suppress(OSError):
            fcntl.lockf(self._file, fcntl.LOCK_EX, 1, self._place(digest))
            self.release([digest])

    def _place(self, digest: bytes) -> int:
        return int.from_bytes(hashlib.sha256(self._scope + digest).digest()[:7], "big")
