"""A folder of photographs, one sub-folder a class, as a table of images."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ...errors import DataError
from ...text import shown
from .images import SPLITS, Dataset, Image

LITTER = {"thumbs.db", "desktop.ini"}  # what file managers leave behind


def plain_files(folder: Path) -> list[Path]:
    """Return all plain files below a folder, sorted, hidden ones left out."""
    return list(_files(folder, []))


def read_folder(root: Path) -> Dataset:
    """Read a folder of class folders, or of split folders that hold those.

    Raises
    ------
    DataError
        If it holds no images.
    """
    warnings: list[str] = []
    folders = subfolders(root, warnings)
    split_folders = [p for p in folders if p.name.casefold() in SPLITS]
    has_splits = any(SPLITS[p.name.casefold()] == "train" for p in split_folders) and any(
        subfolders(p, []) for p in split_folders
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
    for folder in subfolders(root, warnings):
        files = list(_files(folder, warnings))
        if not files:
            warnings.append(f"class folder {shown(folder)} holds no files: left out")
        images += [Image(path, folder.name, split) for path in files]
    loose = [e.name for e in os.scandir(root) if e.is_file() and not is_litter(e.name)]
    if loose:
        warnings.append(
            f"{len(loose)} files in {shown(root)} lie outside class folders "
            f"({shown(min(loose))}, …): left out"
        )
    return images


def subfolders(root: Path, warnings: list[str]) -> list[Path]:
    """Return the folders in a folder, sorted, hidden ones left out."""
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
            if not is_litter(name) and _is_plain_file(path, warnings):
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


def is_litter(name: str) -> bool:
    """Tell whether a file is hidden, or a file manager's own."""
    return name.startswith(".") or name.casefold() in LITTER
