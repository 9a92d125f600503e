"""A manifest, CSV or JSON lines, as a table of images."""

from __future__ import annotations

import contextlib
import gc
import os
import posixpath
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from ...errors import DataError, DecodeError
from ...storage import is_url, without_file
from ...text import shown
from .addresses import Reference, reference
from .images import Dataset, Image
from .manifest_table import ManifestRow, ManifestTable, read_table
from .names import SPLITS, split_named
from .objects import sign
from .remote import File, Remote
from .shards.members import InShard

LARGEST = 4 << 30  # bytes of a manifest behind a URL

Identity: TypeAlias = "tuple[int, int] | str"  # device and inode, or an address


def read_manifest(
    path: File,
    columns: Mapping[str, str] | None = None,
    split: str | None = None,
    *,
    needs_labels: bool = True,
) -> Dataset:
    """Read a manifest, whose paths are relative to it.

    Parameters
    ----------
    path : Path or Remote
        A CSV file with the columns ``path,label`` and optionally ``split,group``, or JSON lines. A
        path may be a URL, or name an image inside a shard.
    columns : mapping of str to str, optional
        Our column to the file's: see :func:`~headstart.extract.images.manifest_table.read_columns`.
    split : str, optional
        Of rows that name none.
    needs_labels : bool
        Whether a label that is missing is wrong; it is ``""`` else.

    Raises
    ------
    DataError
        If it cannot be read, or a row is wrong; the message names the lines.
    """
    where = f"manifest {shown(path)}"
    try:
        table = read_table(_bytes(path), where, columns, needs_labels=needs_labels)
        rows = _Rows(path, table, split, needs_labels=needs_labels)
        with _collector_paused():
            for row in table.rows:
                rows.take(row)
    except OSError as error:
        raise DataError(f"cannot read {where}: {error.strerror}") from error
    return rows.dataset()


def _bytes(path: File) -> bytes:
    if isinstance(path, Path):
        return path.read_bytes()
    try:
        return path.read(LARGEST)[1]
    except DecodeError as error:
        raise DataError(f"manifest {shown(path)}: {error}") from error


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Hold Python's collector off a million objects that are all kept: it took a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Rows:
    """The rows of one manifest, checked against the disk and against one another."""

    def __init__(
        self, path: File, table: ManifestTable, split: str | None, *, needs_labels: bool
    ) -> None:
        self._path = path
        self._needs_labels = needs_labels
        self._table = table
        self._split = split
        self._folder = os.fspath(path.parent) if isinstance(path, Path) else path.url
        self._images: list[Image] = []
        self._lines: list[int] = []  # of each image
        self._places: dict[Identity, int] = {}  # of images
        self._problems: list[str] = []
        self._repeats: list[str] = []

    def take(self, row: ManifestRow) -> None:
        """Take in one row, or what is wrong with it."""
        try:
            image, identity = self._image(row)
        except DataError as error:
            self._problems.append(f"line {row.line}: {error}")
            return
        place = self._places.setdefault(identity, len(self._images))
        if place == len(self._images):
            self._images.append(image)
            self._lines.append(row.line)
        else:
            self._compare(image, row.line, self._images[place], self._lines[place])

    def _image(self, row: ManifestRow) -> tuple[Image, Identity]:
        if row.problem:
            raise DataError(row.problem)
        label = row.label.strip()
        if not row.path.strip() or (self._needs_labels and not label):
            raise DataError("path or label is empty")
        reference, identity = self._find(row.path)
        name = row.split.strip()
        split = split_named(name) if name else self._split
        if name and split is None:
            raise DataError(f"unknown split {name.casefold()!r}; valid: {', '.join(SPLITS)}")
        return Image(reference, label, split, row.group.strip() or None), identity

    def _find(self, name: str) -> tuple[Reference, Identity]:
        """Return what a path of this manifest names: a plain file, which is there, or another."""
        try:
            return self._look(name)
        except DataError as problem:
            for spelt in self._spellings(name):
                with contextlib.suppress(DataError):
                    return self._look(spelt)
            raise problem from problem.__cause__

    def _spellings(self, name: str) -> Iterator[str]:
        """Yield how a path that is not there may have been meant."""
        if name != name.strip():
            yield name.strip()
        if self._table.encoding not in ("utf-8", "utf-8-sig"):
            # A name on the disk is bytes: these may stand in the manifest as they are.
            with contextlib.suppress(UnicodeEncodeError):
                yield os.fsdecode(name.strip().encode(self._table.encoding))
        if "\\" in name and os.sep != "\\":
            yield name.strip().replace("\\", "/")

    def _look(self, name: str) -> tuple[Reference, Identity]:
        path = without_file(name) if "://" in name else self._join(name)
        if is_url(path):
            return reference(path), path
        try:
            seen = os.stat(path)
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            inside = reference(path) if "#" in name else None
            if isinstance(inside, InShard):
                return inside, path
            raise DataError(f"no such file: {shown(path)}") from error
        if not stat.S_ISREG(seen.st_mode):
            raise DataError(f"no plain file: {shown(path)}")
        return Path(path), (seen.st_dev, seen.st_ino)

    def _join(self, name: str) -> str:
        if isinstance(self._path, Path):
            return os.path.join(self._folder, name)
        protocol, _, place = self._folder.partition("://")
        below = posixpath.normpath(posixpath.join(posixpath.dirname(place), name))
        return f"{protocol}://{below}"

    def _compare(self, image: Image, line: int, earlier: Image, there: int) -> None:
        """Judge a row that names the same file as an earlier one, by whatever path."""
        name = shown(image.path)
        if image.label != earlier.label:
            self._problems.append(
                f"line {line}: {name} has the label {image.label!r}, "
                f"on line {there} {earlier.label!r}"
            )
        elif image.split != earlier.split:
            self._problems.append(
                f"line {line}: {name} is in split {image.split}, on line {there} in "
                f"{earlier.split}: what is trained on must not evaluate"
            )
        elif image.group != earlier.group:
            self._problems.append(
                f"line {line}: {name} is in group {image.group}, on line {there} in {earlier.group}"
            )
        else:
            self._repeats.append(f"line {line} repeats line {there}")

    def _look_up_urls(self) -> None:
        """Let listings tell whether objects are there and how they look, a request a page."""
        remote = {
            place: image.path
            for place, image in enumerate(self._images)
            if isinstance(image.path, Remote)
        }
        signed, missing = sign([*remote.values()])
        for place, path in remote.items():
            if path in missing:
                self._problems.append(f"line {self._lines[place]}: no such file: {path}")
            elif path in signed:
                self._images[place] = replace(self._images[place], path=signed[path])

    def dataset(self) -> Dataset:
        """Return the dataset, or raise what is wrong with the first lines."""
        where = f"manifest {shown(self._path)}"
        self._look_up_urls()
        if self._problems:
            raise DataError(f"{where}: {_first(self._problems)}")
        if not self._images:
            raise DataError(f"{where} lists no images")
        without = [place for place, image in enumerate(self._images) if image.split is None]
        if 0 < len(without) < len(self._images):
            raise DataError(
                f"{where}: {len(self._images) - len(without)} of {len(self._images)} rows name a "
                f"split (line {self._lines[without[0]]} does not); name it in all rows or in none"
            )
        warnings = [*self._table.warnings]
        if self._repeats:
            warnings.append(f"{where}: {_first(self._repeats)}: taken once")
        return Dataset(self._path, self._images, warnings)


def _first(lines: list[str]) -> str:
    more = f" (and {len(lines) - 3} more)" if len(lines) > 3 else ""
    return "; ".join(lines[:3]) + more
