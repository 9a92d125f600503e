"""A folder of photographs, one sub-folder a class, as a table of images."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar, cast, overload

from ...errors import DataError
from ...text import shown
from .images import Dataset, Image
from .layout import EXPECTED, lay_out
from .names import is_litter, is_litter_folder

MANY = 1 << 16  # images: a list of more of them is kept in a temporary file
GROUP = 1024  # paths of it that are read at a time

Parts = tuple[str, ...]  # the names on the way down from a folder
Listed = TypeVar("Listed")


def plain_files(folder: Path) -> list[Path]:
    """Return all plain files below a folder, sorted, hidden ones and bins left out."""
    return [*each_plain_file(folder)]


def each_plain_file(folder: Path) -> Iterator[Path]:
    """Yield them as they are found."""
    return (
        Path(folder, *parts)
        for parts, is_folder in walk(folder, [])
        if not is_folder and not any(map(is_litter, parts))
    )


def read_folder(root: Path) -> Dataset:
    """Read a folder of class folders, or of split folders that hold those.

    Raises
    ------
    DataError
        If it holds no images, or can be read in two ways.
    """
    warnings: list[str] = []
    files: list[Parts] = []
    folders: list[Parts] = []
    for parts, is_folder in walk(root, warnings):
        (folders if is_folder else files).append(parts)
    layout = lay_out(files, str(root), folders)
    images = [
        Image(Path(root, *parts), place.label, place.split)
        for parts in files
        if (place := layout.place(parts)) is not None
    ]
    if not images:
        raise DataError(f"no images in {shown(root)}: {EXPECTED}{_unlabelled(root, len(files))}")
    return Dataset(root, images, warnings + layout.warnings)


def _unlabelled(root: Path, files: int) -> str:
    return f"; 'headstart label {shown(root)}' gives its {files:,} files labels" if files else ""


def subfolders(root: Path, warnings: list[str]) -> list[Path]:
    """Return the folders in a folder, sorted, hidden ones and bins left out."""
    try:
        with os.scandir(root) as entries:
            return sorted(Path(e.path) for e in entries if _is_folder(e) and not is_litter(e.name))
    except OSError as error:
        warnings.append(f"cannot list {shown(root)} ({error.strerror}): left out")
        return []


def walk(root: Path, warnings: list[str]) -> Iterator[tuple[Parts, bool]]:
    """Yield what lies below a folder and whether it is a folder, in sorted order.

    Through links, but never into a folder that is being walked already. Hidden files and folders
    are left out, but for bins, which are counted; so are pipes and devices: opening one may hang.
    """
    ahead: list[tuple[Parts, frozenset[tuple[int, int]]]] = [((), frozenset())]
    while ahead:
        parts, above = ahead.pop()
        place = Path(root, *parts)
        try:
            own = os.stat(place)
            with os.scandir(place) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            warnings.append(f"cannot list {shown(place)} ({error.strerror}): left out")
            continue
        identity = own.st_dev, own.st_ino
        if identity in above:
            continue
        if parts:
            yield parts, True
        below: list[Parts] = []
        for entry in entries:
            if _is_folder(entry):
                if not entry.name.startswith(".") or is_litter_folder(entry.name):
                    below.append((*parts, entry.name))
            elif not entry.name.startswith(".") and _is_plain_file(entry, warnings):
                yield (*parts, entry.name), False
        ahead += [(deeper, above | {identity}) for deeper in reversed(below)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_plain_file(entry: os.DirEntry[str], warnings: list[str]) -> bool:
    try:
        plain = entry.is_file() or stat.S_ISREG(os.stat(entry.path).st_mode)
    except OSError as error:
        warnings.append(f"cannot look at {shown(entry.path)} ({error.strerror}): left out")
        return False
    if not plain:
        warnings.append(f"{shown(entry.path)} is no plain file: left out")
    return plain


class ListedFiles(Sequence[Path]):
    """Paths in a temporary file, which vanishes with the process."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the list
        self._starts = array("Q")  # of each group, in the file
        self._count = 0

    def append(self, path: str) -> None:
        """Add a path."""
        if self._count % GROUP == 0:
            self._starts.append(self._file.tell())
        try:
            self._file.write(os.fsencode(path) + b"\0")
        except OSError as error:
            raise self._no_room(error) from error
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Path]:
        for number in range(len(self._starts)):
            yield from self._group(number)

    @overload
    def __getitem__(self, place: int) -> Path: ...
    @overload
    def __getitem__(self, place: slice) -> list[Path]: ...
    def __getitem__(self, place: int | slice) -> Path | list[Path]:
        if isinstance(place, int):
            number, row = divmod(range(self._count)[place], GROUP)
            return self._group(number)[row]
        wanted = range(self._count)[place]
        if not wanted:
            return []
        first = min(wanted) // GROUP
        paths = [path for n in range(first, max(wanted) // GROUP + 1) for path in self._group(n)]
        return [paths[row - first * GROUP] for row in wanted]

    def __del__(self) -> None:
        with contextlib.suppress(OSError):  # what found no room is tried again
            self._file.close()

    @staticmethod
    def _no_room(error: OSError) -> DataError:
        return DataError(
            f"cannot list the images in {tempfile.gettempdir()} ({error.strerror}): free some "
            "space, or name another folder in TMPDIR"
        )

    def _group(self, number: int) -> list[Path]:
        try:
            self._file.flush()
        except OSError as error:
            raise self._no_room(error) from error
        start = self._starts[number]
        last = number + 1 == len(self._starts)
        end = self._file.seek(0, os.SEEK_END) if last else self._starts[number + 1]
        data = os.pread(self._file.fileno(), end - start, start)
        return [Path(os.fsdecode(path)) for path in data.split(b"\0")[:-1]]


def gather(images: Iterable[Listed]) -> Sequence[Listed]:
    """Return images as a list; very many, where all are files, as one in a temporary file."""
    ahead = iter(images)
    few = list(itertools.islice(ahead, MANY))
    if len(few) < MANY:
        return few
    files = ListedFiles()
    for image in itertools.chain(few, ahead):
        if not isinstance(image, Path):
            return [*cast("Sequence[Listed]", files), image, *ahead]
        files.append(str(image))
    return cast("Sequence[Listed]", files)
