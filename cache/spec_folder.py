"""The files of one spec's folder: segments, those set aside, and what killed writers left."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from pathlib import Path

from ..errors import CacheError

SUFFIX = ".h5"
DAMAGED = ".damaged"
RUN = ".index"  # derived from the segments, see `index`
_NAME = re.compile(r"[0-9a-f]{32}\.h5")
_RUN_NAME = re.compile(r"[0-9a-f]{32}\.index")
_WRITER = re.compile(r"\..+?\.(?P<host>.+)\.(?P<pid>[0-9]+)\.tmp")  # as storage.temporary_name


def is_segment_name(name: str) -> bool:
    """Tell whether a file of this name is a committed segment."""
    return _NAME.fullmatch(name) is not None


def segment_paths(folder: Path) -> list[Path]:
    """List the committed segments of one spec's folder, sorted by name.

    A listing is no snapshot: it may miss a file renamed into the folder meanwhile. So the folder
    is listed until two listings agree, lest a compaction hide rows between the two.
    """
    names: set[str] | None = None
    while True:
        earlier, names = names, set(filter(is_segment_name, _names(folder)))
        if names == earlier:
            return [folder / name for name in sorted(names)]


def run_paths(folder: Path) -> list[Path]:
    """List the runs of the index of one spec's folder, sorted by name."""
    return [folder / name for name in sorted(filter(_RUN_NAME.fullmatch, _names(folder)))]


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise CacheError(
            f"cannot read the cache {folder} ({error.strerror}); "
            "mend its permissions or give another place with --cache DIR"
        ) from error


def set_aside(path: Path) -> None:
    """Rename a damaged segment, so that it is neither read again nor lost to inspection."""
    with contextlib.suppress(OSError):  # a read-only cache: it stays, and stays refused
        os.replace(path, path.with_name(path.name + DAMAGED))


def damaged_segments(folder: Path) -> list[Path]:
    """List the segments that were set aside, sorted."""
    return sorted(folder.glob(f"*{DAMAGED}"))


def stale_temporaries(folder: Path) -> list[Path]:
    """List the temporary files whose writer on this machine is dead, sorted."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:  # there is none yet, or it may not be read: listing its segments will tell
        return []
    writers = ((name, _WRITER.fullmatch(name)) for name in names)
    return [
        folder / name
        for name, writer in writers
        if writer is not None  # else another program's, such as a synchroniser's
        and writer["host"] == socket.gethostname()
        and not _is_alive(int(writer["pid"]))
    ]


def _is_alive(pid: int) -> bool:
    import psutil  # needed where a writer was killed, which is seldom

    return bool(psutil.pid_exists(pid))


def remove_stale_temporaries(folder: Path) -> None:
    """Remove what a killed writer left half-written."""
    for path in stale_temporaries(folder):
        with contextlib.suppress(OSError):
            path.unlink()
