"""Which digest a file had when it was last read, so that it need not be read again.

A convenience of one machine: losing it costs time, never correctness.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from ..storage import user_folder

_SCHEMA = """
CREATE TABLE IF NOT EXISTS file (
    path BLOB PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    digest BLOB NOT NULL
) WITHOUT ROWID
"""

# A file changed twice within one tick of its file system's clock shows the same times both
# times. An entry is only kept when the file had been at rest for longer than a tick as it was
# read. Whole seconds mean a coarse clock (FAT: 2 s); fractions mean the kernel's (at most 10 ms).
# Git's index has the same race: https://git-scm.com/docs/racy-git
COARSE_TICK_NS = 2_000_000_000
FINE_TICK_NS = 50_000_000


def stat_index_path() -> Path:
    """Return this machine's stat index: always local, wherever the features are."""
    return user_folder() / "stat-index.sqlite"


class Stat(Protocol):
    """What tells that a file has not changed: as ``os.stat`` names it, wherever the file is."""

    @property
    def st_size(self) -> int: ...  # noqa: D102
    @property
    def st_mtime_ns(self) -> int: ...  # noqa: D102
    @property
    def st_ctime_ns(self) -> int: ...  # noqa: D102
    @property
    def st_ino(self) -> int: ...  # noqa: D102


class Address(Protocol):
    """Where an image is: a path, or what answers like one."""

    def absolute(self) -> Self: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Sighting:
    """One reading of one image."""

    path: Address  # where it is; `str` of it is its name
    stat: Stat  # of the file that it is or lies in, taken before it was read
    read_ns: int  # the clock just before it was read, in nanoseconds since the epoch
    digest: bytes  # SHA-256 of what was read, 32 bytes


def at_rest(stat: Stat, now_ns: int) -> bool:
    """Tell whether a later change would show in the file's times.

    Parameters
    ----------
    stat : Stat
        As taken before the file was read.
    now_ns : int
        The clock when it was taken, in nanoseconds since the epoch.

    Examples
    --------
    >>> import os, time
    >>> at_rest(os.stat(os.__file__), time.time_ns())
    True
    """
    newest = max(stat.st_mtime_ns, stat.st_ctime_ns)
    tick = COARSE_TICK_NS if newest % 1_000_000_000 == 0 else FINE_TICK_NS
    return now_ns - newest > tick


class StatIndex:
    """(path, size, times, inode) to digest, in SQLite.

    Parameters
    ----------
    path : Path
        The database; made when missing. Must lie on a local disk.

    Attributes
    ----------
    problem : str or None
        Why the index cannot be used; it then remembers nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem: str | None = None
        self._connection: sqlite3.Connection | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=30, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def look_up(self, path: Address, stat: Stat) -> bytes | None:
        """Return the digest that the file had when it last looked like this."""
        looks = fingerprint(stat)
        if not _is_storable(looks):
            return None
        rows = self._ask(
            lambda index: index.execute(
                "SELECT digest FROM file WHERE path = ? AND size = ? AND mtime_ns = ? "
                "AND ctime_ns = ? AND inode = ?",
                (os.fsencode(str(path.absolute())), *looks),
            )
        )
        return bytes(rows[0][0]) if rows else None

    def paths(self, digests: Iterable[bytes]) -> list[str]:
        """Return the addresses that had one of these digests when last read, sorted."""
        wanted = set(digests)
        rows = self._ask(lambda index: index.execute("SELECT path, digest FROM file"))
        return sorted(os.fsdecode(path) for path, digest in rows if digest in wanted)

    def record(self, sightings: Iterable[Sighting]) -> None:
        """Remember files as they looked when they were read.

        Files that may still change unseen (see :func:`at_rest`), and those whose numbers SQLite
        cannot hold, are left out and will be read again next time.
        """
        rows = [
            (os.fsencode(str(seen.path.absolute())), *looks, seen.digest)
            for seen in sightings
            if at_rest(seen.stat, seen.read_ns) and _is_storable(looks := fingerprint(seen.stat))
        ]
        insert = "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?)"
        self._ask(lambda index: index.executemany(insert, rows))

    def _ask(self, query: Callable[[sqlite3.Connection], sqlite3.Cursor]) -> list[Any]:
        """Return the rows of a query; none, from then on, where the index cannot be used."""
        if self._connection is None:
            return []
        try:
            with self._connection:
                return query(self._connection).fetchall()
        except sqlite3.Error as error:
            self._give_up(error)
            return []

    def _give_up(self, error: Exception) -> None:
        self.problem = f"the stat index {self.path} cannot be used ({error}): images are read again"
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None


def fingerprint(stat: Stat) -> tuple[int, int, int, int]:
    """Return how a file looks: size, times and inode."""
    return (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


def _is_storable(looks: tuple[int, ...]) -> bool:
    """Tell whether SQLite's integers hold how a file looks: an inode may be larger."""
    return all(-(2**63) <= number < 2**63 for number in looks)
