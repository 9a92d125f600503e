"""One extraction at a time on this machine, so that none computes what another is computing.

A convenience: segments need no lock, and without one the cost is images computed twice.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def taking_turns(path: Path) -> Iterator[None]:
    """Wait until no other thread or process is inside with the same path.

    The system ends a turn with its process, however that ends. Where files cannot
    be locked (no ``flock``, a read-only folder), nobody waits.

    Parameters
    ----------
    path : Path
        A file to lock; made when missing, left empty.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, taking_turns(Path(folder, "lock")):
    ...     pass
    """
    try:
        import fcntl

        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except (ImportError, OSError):
        yield
        return
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
