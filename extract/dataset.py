"""A folder of photographs or a manifest, as a table of images."""

from __future__ import annotations

import contextlib
import csv
import gc
import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DataError

SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
    "testing": "test",
}
LITTER = {"thumbs.db", "desktop.ini"}  # what file managers leave behind


@dataclass(frozen=True, slots=True)
class Image:
    """One row of a dataset.

    Parameters
    ----------
    path : Path
        The file.
    label : str
        Name of its class.
    split : str or None
        ``"train"``, ``"validation"`` or ``"test"``; None when the dataset has no splits.
    group : str or None
        Images of one group (a person, a camera, a burst) never straddle splits or folds.
    """

    path: Path
    label: str
    split: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Dataset:
    """Images with their labels.

    Parameters
    ----------
    root : Path
        The folder or manifest it was read from.
    images : list of Image
        Sorted by path for a folder, in the file's order for a manifest.
    warnings : list of str
        What was left out, in words.
    """

    root: Path
    images: list[Image]
    warnings: list[str] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        """Class names, sorted."""
        return sorted({image.label for image in self.images})

    @property
    def splits(self) -> list[str]:
        """The given splits that hold images: empty when there are none."""
        found = {image.split for image in self.images}
        return [name for name in ("train", "validation", "test") if name in found]

    def counts(self) -> Counter[str]:
        """Images a class."""
        return Counter(image.label for image in self.images)


def read_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Read a folder or a CSV manifest.

    Parameters
    ----------
    path : path
        A folder with one sub-folder a class, or with split folders that hold
        those; or a CSV file with the columns ``path,label`` and optionally
        ``split,group``, whose paths are relative to the file.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If nothing usable is there; the message says what was expected.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("cat/1.jpg", "dog/1.jpg"):
    ...         file = Path(folder, name)
    ...         file.parent.mkdir()
    ...         _ = file.write_bytes(b"...")
    ...     read_dataset(folder).classes
    ['cat', 'dog']
    """
    root = Path(path)
    if root.is_dir():
        return _read_folder(root)
    if root.is_file():
        return _read_manifest(root)
    raise DataError(f"no such folder or manifest: {shown(root)}")


def plain_files(folder: Path) -> list[Path]:
    """Return all plain files below a folder, sorted, hidden ones left out."""
    return list(_files(folder, []))


def shown(path: str | os.PathLike[str]) -> str:
    r"""Return a path that can be printed, whatever bytes its name has.

    Examples
    --------
    >>> shown("caf\udce9\n.jpg")
    'caf\\xe9\\n.jpg'
    """
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _read_folder(root: Path) -> Dataset:
    warnings: list[str] = []
    folders = _subfolders(root, warnings)
    split_folders = [p for p in folders if p.name.casefold() in SPLITS]
    has_splits = any(SPLITS[p.name.casefold()] == "train" for p in split_folders) and any(
        _subfolders(p, []) for p in split_folders
    )
    images: list[Image] = []
    if has_splits:
        warnings += [
            f"{shown(folder)} is no split folder: left out"
            for folder in sorted(set(folders) - set(split_folders))
        ]
        for folder in split_folders:
            split = SPLITS[folder.name.casefold()]
            images += _read_classes(folder, split, warnings)
    else:
        images = _read_classes(root, None, warnings)
    if not images:
        raise DataError(
            f"no images in {shown(root)}: expected one sub-folder a class with photographs in "
            "it, or train/ and validation/ (or test/) that hold those"
        )
    return Dataset(root, images, warnings)


def _read_classes(root: Path, split: str | None, warnings: list[str]) -> list[Image]:
    images = []
    for folder in _subfolders(root, warnings):
        files = list(_files(folder, warnings))
        if not files:
            warnings.append(f"class folder {shown(folder)} holds no files: left out")
        images += [Image(path, folder.name, split) for path in files]
    loose = [e.name for e in os.scandir(root) if e.is_file() and not _is_litter(e.name)]
    if loose:
        warnings.append(
            f"{len(loose)} files in {shown(root)} lie outside class folders "
            f"({shown(min(loose))}, …): left out"
        )
    return images


def _subfolders(root: Path, warnings: list[str]) -> list[Path]:
    try:
        return sorted(Path(e.path) for e in os.scandir(root) if e.is_dir() and e.name[0] != ".")
    except OSError as error:
        warnings.append(f"cannot list {shown(root)} ({error.strerror}): left out")
        return []


def _files(folder: Path, warnings: list[str]) -> Iterator[Path]:
    """Walk a class folder in sorted order, through links but never round a loop."""

    def unreadable(error: OSError) -> None:
        warnings.append(f"cannot list {shown(error.filename)} ({error.strerror}): left out")

    visited: set[tuple[int, int]] = set()
    for place, names, files in os.walk(folder, onerror=unreadable, followlinks=True):
        here = os.stat(place)
        if (here.st_dev, here.st_ino) in visited:
            names.clear()
            continue
        visited.add((here.st_dev, here.st_ino))
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            if not _is_litter(name) and _is_plain_file(path, warnings):
                yield path


def _is_plain_file(path: Path, warnings: list[str]) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        warnings.append(f"cannot look at {shown(path)} ({error.strerror}): left out")
        return False
    if not stat.S_ISREG(mode):  # a pipe or a device: opening it could hang
        warnings.append(f"{shown(path)} is no plain file: left out")
        return False
    return True


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name.casefold() in LITTER


def _read_manifest(path: Path) -> Dataset:
    rows = _Rows(path)
    try:
        with (
            _collector_paused(),
            open(path, newline="", encoding="utf-8-sig", errors="surrogateescape") as file,
        ):
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


def _columns(header: list[str], path: Path) -> dict[str, int]:
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

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = os.fspath(path.parent)
        self._images: list[Image] = []
        self._lines: list[int] = []  # of each image
        self._at: dict[tuple[int, int], int] = {}  # device and inode to an image's place
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

    def _image(self, fields: list[str], columns: dict[str, int]) -> tuple[Image, tuple[int, int]]:
        if len(fields) != len(columns):
            raise DataError(f"expected {len(columns)} fields, got {len(fields)}")
        name, label = fields[columns["path"]], fields[columns["label"]].strip()
        if not name or not label:
            raise DataError("path or label is empty")
        path = os.path.join(self._folder, name)
        try:
            seen = os.stat(path)
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            raise DataError(f"no such file: {shown(path)}") from error
        if not stat.S_ISREG(seen.st_mode):
            raise DataError(f"no plain file: {shown(path)}")
        split = fields[columns["split"]].strip().casefold() if "split" in columns else ""
        if split and split not in SPLITS:
            raise DataError(f"unknown split {split!r}; valid: {', '.join(SPLITS)}")
        group = fields[columns["group"]] if "group" in columns else ""
        image = Image(Path(path), label, SPLITS[split] if split else None, group or None)
        return image, (seen.st_dev, seen.st_ino)

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

    def dataset(self) -> Dataset:
        """Return the dataset, or raise what is wrong with the first lines."""
        where = f"manifest {shown(self._path)}"
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
