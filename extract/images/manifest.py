"""A CSV manifest as a table of images."""

from __future__ import annotations

import contextlib
import csv
import gc
import io
import os
import posixpath
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO, TypeAlias

from ...errors import DataError, DecodeError
from ...storage import is_url, without_file
from ...text import shown
from .addresses import Reference, reference
from .images import Dataset, Image
from .names import SPLITS
from .objects import sign
from .remote import File, Remote
from .shards.members import Member
from .shards.parquet_rows import Row

LARGEST = 4 << 30  # bytes of a manifest behind a URL

Identity: TypeAlias = "tuple[int, int] | str"  # device and inode, or an address


def read_manifest(path: File) -> Dataset:
    """Read a manifest, whose paths are relative to it.

    Parameters
    ----------
    path : Path or Remote
        A CSV file with the columns ``path,label`` and optionally ``split,group``. A path may
        be a URL, or name an image inside a shard.

    Raises
    ------
    DataError
        If it cannot be read, or a row is wrong; the message names the lines.
    """
    rows = _Rows(path)
    try:
        with _collector_paused(), _text(path) as file:
            reader = csv.reader(file, strict=True)
            columns = _columns(next(reader, []), path)
            line = reader.line_num + 1  # where the row begins: a quoted field may hold line ends
            for fields in reader:
                if fields:
                    rows.take(line, fields, columns)
                line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"manifest {shown(path)} is not CSV: line {reader.line_num}: {error}"
        ) from error
    except OSError as error:
        raise DataError(f"cannot read manifest {shown(path)}: {error.strerror}") from error
    return rows.dataset()


def _text(path: File) -> TextIO:
    """Open a manifest; one behind a URL is read whole."""
    if isinstance(path, Path):
        return open(path, newline="", encoding="utf-8-sig", errors="surrogateescape")
    try:
        _, data = path.read(LARGEST)
    except DecodeError as error:
        raise DataError(f"manifest {shown(path)}: {error}") from error
    return io.StringIO(data.decode("utf-8-sig", "surrogateescape"), newline="")


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


def _columns(header: list[str], path: File) -> dict[str, int]:
    """Return where each column stands that headstart knows."""
    names = [name.strip() for name in header]
    if not {"path", "label"} <= set(names):
        raise DataError(
            f"manifest {shown(path)}: expected the columns path,label (and optionally "
            f"split,group), got {shown(','.join(names)) or 'an empty file'}"
        )
    twice = [name for name in ("path", "label", "split", "group") if names.count(name) > 1]
    if twice:
        raise DataError(f"manifest {shown(path)}: the column {twice[0]} stands there twice")
    return {name: at for at, name in enumerate(names)}


class _Rows:
    """The rows of one manifest, checked against the disk and against one another."""

    def __init__(self, path: File) -> None:
        self._path = path
        self._folder = os.fspath(path.parent) if isinstance(path, Path) else path.url
        self._images: list[Image] = []
        self._lines: list[int] = []  # of each image
        self._at: dict[Identity, int] = {}  # to an image's place
        self._problems: list[str] = []
        self._repeats: list[str] = []

    def take(self, line: int, fields: list[str], columns: dict[str, int]) -> None:
        """Take in one row, or what is wrong with it."""
        try:
            image, identity = self._image(fields, columns)
        except DataError as error:
            self._problems.append(f"line {line}: {error}")
            return
        at = self._at.setdefault(identity, len(self._images))
        if at == len(self._images):
            self._images.append(image)
            self._lines.append(line)
        else:
            self._compare(image, line, self._images[at], self._lines[at])

    def _image(self, fields: list[str], columns: dict[str, int]) -> tuple[Image, Identity]:
        if len(fields) != len(columns):
            raise DataError(f"expected {len(columns)} fields, got {len(fields)}")
        name, label = fields[columns["path"]], fields[columns["label"]].strip()
        if not name or not label:
            raise DataError("path or label is empty")
        place, identity = self._find(name)
        split = fields[columns["split"]].strip().casefold() if "split" in columns else ""
        if split and split not in SPLITS:
            raise DataError(f"unknown split {split!r}; valid: {', '.join(SPLITS)}")
        group = fields[columns["group"]] if "group" in columns else ""
        image = Image(place, label, SPLITS[split] if split else None, group or None)
        return image, identity

    def _find(self, name: str) -> tuple[Reference, Identity]:
        """Return what a path of this manifest names: a plain file, which is there, or another."""
        path = without_file(name) if "://" in name else self._join(name)
        if is_url(path):
            return reference(path), path
        try:
            seen = os.stat(path)
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            inside = reference(path) if "#" in name else None
            if isinstance(inside, Member | Row):
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
        at = {i: image.path for i, image in enumerate(self._images) if type(image.path) is Remote}
        signed, missing = sign([path for path in at.values() if isinstance(path, Remote)])
        for i, path in at.items():
            if path in missing:
                self._problems.append(f"line {self._lines[i]}: no such file: {path}")
            elif path in signed:
                self._images[i] = replace(self._images[i], path=signed[path])

    def dataset(self) -> Dataset:
        """Return the dataset, or raise what is wrong with the first lines."""
        where = f"manifest {shown(self._path)}"
        self._look_up_urls()
        if self._problems:
            raise DataError(f"{where}: {_first(self._problems)}")
        if not self._images:
            raise DataError(f"{where} lists no images")
        without = [at for at, image in enumerate(self._images) if image.split is None]
        if 0 < len(without) < len(self._images):
            raise DataError(
                f"{where}: {len(self._images) - len(without)} of {len(self._images)} rows name a "
                f"split (line {self._lines[without[0]]} does not); name it in all rows or in none"
            )
        warnings = [f"{where}: {_first(self._repeats)}: taken once"] if self._repeats else []
        return Dataset(self._path, self._images, warnings)


def _first(lines: list[str]) -> str:
    more = f" (and {len(lines) - 3} more)" if len(lines) > 3 else ""
    return "; ".join(lines[:3]) + more
