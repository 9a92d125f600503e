"""Which digest a file had when it was last read, so that it need not be read again.

A convenience of one machine: losing it costs time, never correctness.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
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

ASKED = 500  # files a query
# A file that nobody asked for in so many days is forgotten; the days are written this coarsely.
KEPT_DAYS, COARSE_DAYS = 180, 30


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
            self._forget_old(self._connection)
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def look_up(self, files: Sequence[tuple[Address, Stat]]) -> list[bytes | None]:
        """Return the digest that each file had when it last looked like this; None if it never did.

        Parameters
        ----------
        files : sequence of (Address, Stat), length n
        """
        digests: list[bytes | None] = []
        for start in range(0, len(files), ASKED):
            asked = [
                (_name(path), fingerprint(stat)) for path, stat in files[start : start + ASKED]
            ]
            names = [name for name, _ in asked]
            rows = self._ask(f"SELECT * FROM file WHERE path IN ({_marks(names)})", names)  # noqa: S608
            known = {name: (tuple(looks), digest) for name, *looks, digest, _ in rows}
            pairs = [(known.get(name, (None, None)), looks) for name, looks in asked]
            digests += [digest if looked == looks else None for (looked, digest), looks in pairs]
            old = [(_today(), name) for name, *_, day in rows if day < _today() - COARSE_DAYS]
            self._ask("UPDATE file SET day = ? WHERE path = ?", old, many=True)
        return digests

    def paths(self, digests: Iterable[bytes]) -> list[str]:
        """Return the addresses that had one of these digests when last read, sorted."""
        wanted = [*digests]
        found: list[str] = []
        for start in range(0, len(wanted), ASKED):
            some = wanted[start : start + ASKED]
            rows = self._ask(f"SELECT path FROM file WHERE digest IN ({_marks(some)})", some)  # noqa: S608
            found += [os.fsdecode(path) for (path,) in rows]
        return sorted(found)

    def record(self, sightings: Iterable[Sighting]) -> None:
        """Remember files as they looked when they were read.

        Files that may still change unseen (see :func:`at_rest`), and those whose numbers SQLite
        cannot hold, are left out and will be read again next time.
        """
        rows = [
            (_name(seen.path), *looks, seen.digest, _today())
            for seen in sightings
            if at_rest(seen.stat, seen.read_ns) and _is_storable(looks := fingerprint(seen.stat))
        ]
        insert = "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?)"
        self._ask(insert, rows, many=True)

    def _forget_old(self, index: sqlite3.Connection) -> None:
        """Forget, every now and then, the files that nobody asked for in a long time.

        The database's own number is the day of the last time; 0: the days are not there yet.
        """
        today = _today()

        def last() -> int:
            return int(index.execute("PRAGMA user_version").fetchone()[0])

        if last() and today < last() + COARSE_DAYS:
            return
        with index:
            index.execute("BEGIN IMMEDIATE")
            if not last():  # nor has another process put them there meanwhile
                index.execute(f"ALTER TABLE file ADD COLUMN day INTEGER NOT NULL DEFAULT {today}")
            index.execute("DELETE FROM file WHERE day < ?", (today - KEPT_DAYS,))
            index.execute(f"PRAGMA user_version = {today}")

    def _ask(self, query: str, values: Sequence[Any] = (), *, many: bool = False) -> list[Any]:
        """Return the rows of a query; none, from then on, where the index cannot be used."""
        if self._connection is None or (many and not values):
            return []
        try:
            with self._connection as index:
                return (index.executemany if many else index.execute)(query, values).fetchall()
        except sqlite3.Error as error:
            self._give_up(error)
            return []

    def _give_up(self, error: Exception) -> None:
        self.problem = f"the stat index {self.path} cannot be used ({error}): images are read again"
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _name(path: Address) -> bytes:
    return os.fsencode(str(path.absolute()))


def _today() -> int:
    """Return the day, counted since the epoch."""
    return int(time.time()) // 86_400


def fingerprint(stat: Stat) -> tuple[int, int, int, int]:
    """Return how a file looks: size, times and inode."""
    return (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


def _is_storable(looks: tuple[int, ...]) -> bool:
    """Tell whether SQLite's integers hold how a file looks: an inode may be larger."""
    return all(-(2**63) <= number < 2**63 for number in looks)
