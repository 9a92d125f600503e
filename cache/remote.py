"""The other side of a cache behind a URL: segments are put there in one piece, and fetched.

All work is done on the mirror, a cache like any other; :class:`RemoteCache` keeps the two alike. Segments
never change, so a name is all there is to compare. Of each spec's folder the mirror remembers
which segments the other side had when it was last listed:

=========  ==========  ==========  =====================================================
mirror     URL         remembered  what it means, and what is done
=========  ==========  ==========  =====================================================
there      missing     no          written here, and not put yet (a killed run): put
there      missing     yes         merged or cleared by another machine: removed here
missing    there       either      written by another machine: fetched
=========  ==========  ==========  =====================================================

What else a cache keeps (networks, results, checkpoints) stays in the mirror: each machine makes
its own.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CacheError
from ..storage import attempt, file_system, replacing, telling, temporary_name, why
from .segment import DamagedSegmentError, read_whole
from .spec import SPEC_FOLDER
from .spec_folder import DAMAGED, is_segment_name, segment_paths

LISTED = ".listed"  # in a spec's folder: the segments that the URL had, a name a line
AT_ONCE = 8  # segments under way

BUCKETS = ("abfs", "az", "gcs", "gs", "oss", "s3", "s3a")


class UnsentError(CacheError):
    """A segment could not be put behind the URL; it is safe in the mirror."""


@dataclass(frozen=True, slots=True)
class RemoteCache:
    """The other side of a mirror."""

    url: str  # of any protocol that fsspec knows, without a slash at its end

    def fetch_all(self, cache: Path, *, afresh: bool = False) -> None:
        """Bring the mirror's folders up to date, of every spec on either side.

        Parameters
        ----------
        cache : Path
            The mirror.
        afresh : bool
            Fetch what is there already, too, so that reading it means reading the other side.

        Raises
        ------
        CacheError
            If the network or a disk fails.
        """
        for name in self.folders():
            (cache / name).mkdir(parents=True, exist_ok=True)
        for folder in cache.iterdir():
            if SPEC_FOLDER.fullmatch(folder.name) and folder.is_dir():
                self.fetch(folder, afresh=afresh)

    def folders(self) -> list[str]:
        """Return the names of the specs' folders behind the URL."""
        names = (_name(entry) for entry in self._list(self.url))
        return sorted(name for name in names if SPEC_FOLDER.fullmatch(name))

    def sizes(self, folder: Path) -> dict[str, int]:
        """Return name and bytes of the segments behind the URL of one spec's folder."""
        entries = self._list(f"{self.url}/{folder.name}")
        return {n: int(entry["size"]) for entry in entries if is_segment_name(n := _name(entry))}

    def fetch(self, folder: Path, *, afresh: bool = False) -> list[DamagedSegmentError]:
        """Bring one spec's folder up to date: see the table above.

        Parameters
        ----------
        folder : Path
            In the mirror.
        afresh : bool
            Fetch what is there already, too, and do not judge it.

        Returns
        -------
        list of DamagedSegmentError
            Segments that are damaged behind the URL: set aside here, removed there.

        Raises
        ------
        CacheError
            If the network or a disk fails.
        """
        # In this order: what another process puts meanwhile is then fetched, not removed.
        remembered = _read_listed(folder)
        here = {path.name for path in segment_paths(folder)}
        there = self.sizes(folder)
        for name in here - there.keys():
            if name in remembered:
                (folder / name).unlink(missing_ok=True)
            else:
                self.put(folder / name)
        wanted = sorted(there if afresh else there.keys() - here)
        if wanted:
            folder.mkdir(parents=True, exist_ok=True)
        fetch = functools.partial(self._fetch_segment, folder, there, judge=not afresh)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            damaged = [error for error in pool.map(fetch, wanted) if error is not None]
        gone = {error.path.name for error in damaged}
        _write_listed(folder, (there.keys() | (here - remembered)) - gone)
        return damaged

    def put(self, path: Path) -> None:
        """Put one segment behind the URL in one piece.

        Raises
        ------
        UnsentError
            If that cannot be done. The segment stays in the mirror, for the next run to put.
        """
        system, root = file_system(self.url)
        put = _PUTS.get(self.url.partition("://")[0], _put_then_rename)
        try:
            attempt(functools.partial(put, system, path, f"{root}/{path.parent.name}"))
        except Exception as error:  # every file system has its own
            raise UnsentError(
                f"cannot put segment {path.name} to {self.url} ({why(error)}); its features are "
                f"safe in {path.parent}, and the next run puts them: mend it, or give another "
                "place with --cache DIR"
            ) from error
        _write_listed(path.parent, _read_listed(path.parent) | {path.name})

    def remove(self, folder: Path, names: Iterable[str]) -> None:
        """Remove segments behind the URL.

        Raises
        ------
        CacheError
            If one cannot be removed.
        """
        system, root = file_system(self.url)
        for name in names:
            remove = functools.partial(system.rm_file, f"{root}/{folder.name}/{name}")
            with (
                telling(CacheError, f"cannot remove {name} from {self.url}/{folder.name}"),
                contextlib.suppress(FileNotFoundError),
            ):
                attempt(remove)

    def replace(self, folder: Path, gone: Iterable[str]) -> None:
        """Put all that was written in the mirror, then remove what it stands for."""
        there = self.sizes(folder)
        for path in segment_paths(folder):
            if path.name not in there:
                self.put(path)
        self.remove(folder, gone)

    def _fetch_segment(
        self, folder: Path, sizes: dict[str, int], name: str, *, judge: bool
    ) -> DamagedSegmentError | None:
        """Fetch a segment under a temporary name, look at all of it, rename it."""
        system, root = file_system(self.url)
        source, segment = f"{root}/{folder.name}/{name}", folder / name
        try:
            with replacing(segment) as temporary:
                attempt(functools.partial(_get_whole, system, source, temporary, sizes[name]))
                if judge:
                    _judge(temporary, segment)
        except FileNotFoundError:
            return None  # merged by another machine since it was listed
        except DamagedSegmentError as error:
            self.remove(folder, [name])
            return DamagedSegmentError(segment, f"{error.reason}, as {self.url} has it")
        except Exception as error:  # every file system has its own
            raise CacheError(f"cannot fetch {name} from {self.url}: {why(error)}") from error
        return None

    def _list(self, url: str) -> list[dict[str, Any]]:
        """List a folder, a request a page; one that does not exist is empty."""
        system, path = file_system(url)
        with telling(CacheError, f"cannot list the cache {url}"):
            with contextlib.suppress(FileNotFoundError):
                return list(attempt(lambda: system.ls(path, detail=True)))
            container = path.strip("/").partition("/")[0]
            if url.partition("://")[0] in BUCKETS and not attempt(lambda: system.exists(container)):
                raise CacheError(
                    f"there is no bucket {container} for the cache {self.url}: make it, or give "
                    "another place with --cache DIR"
                )
        return []


def _get_whole(system: Any, source: str, target: Path, size: int) -> None:
    system.get_file(source, str(target))
    got = target.stat().st_size
    if got != size:
        raise OSError(f"{got:,} of {size:,} bytes came")


def _judge(fetched: Path, segment: Path) -> None:
    """Read all of what was fetched; set it aside, under the segment's name, where it is damaged."""
    try:
        read_whole(fetched)
    except DamagedSegmentError:
        os.replace(fetched, segment.with_name(segment.name + DAMAGED))
        raise


def _put(system: Any, path: Path, folder: str) -> None:
    system.put_file(str(path), f"{folder}/{path.name}")


def _refuse(system: Any, path: Path, folder: str) -> None:
    raise NotImplementedError


def _put_then_rename(system: Any, path: Path, folder: str) -> None:
    temporary = f"{folder}/{temporary_name()}"
    system.makedirs(folder, exist_ok=True)
    system.put_file(str(path), temporary)
    system.mv(temporary, f"{folder}/{path.name}")


# An object is seen whole or not at all; elsewhere a segment is put under another name first.
_PUTS = {**dict.fromkeys((*BUCKETS, "memory"), _put), **dict.fromkeys(("http", "https"), _refuse)}


def _name(entry: dict[str, Any]) -> str:
    return str(entry["name"]).rstrip("/").rpartition("/")[2]


def _read_listed(folder: Path) -> set[str]:
    try:
        return set((folder / LISTED).read_text("ascii").split())
    except OSError:
        return set()


def _write_listed(folder: Path, names: set[str]) -> None:
    """Remember what the other side has; forgetting it means that a segment is put twice."""
    if names != _read_listed(folder):
        with replacing(folder / LISTED) as temporary:
            temporary.write_text("\n".join(sorted(names)), "ascii")
