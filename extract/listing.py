"""Files, folders and patterns → the images to label."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from ..errors import DataError
from .dataset import plain_files, shown
from .pixels import PixelImage

STANDARD_INPUT = Path("-")


def list_images(
    given: Iterable[str | os.PathLike[str] | PixelImage], listed: BinaryIO | None = None
) -> list[Path | PixelImage]:
    """Return the images that files, folders and patterns stand for, each once.

    A folder stands for all plain files below it, hidden ones left out. What does not
    exist but holds ``*``, ``?`` or ``[`` is a pattern, as a shell's, where ``**`` runs
    through folders. ``-`` stands for a list of files and folders; a file in it that does
    not exist is kept, so that it is told beside the others that cannot be read.

    Parameters
    ----------
    given : iterable of path or PixelImage
        What to label. Images in memory stay as they are.
    listed : binary file, optional
        The list, a path a line, that ``-`` stands for; without it ``-`` is a file's name.

    Raises
    ------
    DataError
        If a path does not exist, a pattern matches nothing, or there is nothing to label.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("1.jpg", "2.png"):
    ...         _ = Path(folder, name).write_bytes(b"...")
    ...     found = list_images([folder, f"{folder}/*.jpg"])
    >>> [path.name for path in found]
    ['1.jpg', '2.png']
    """
    images: list[Path | PixelImage] = []
    for one in given:
        if isinstance(one, PixelImage):
            images.append(one)
        elif listed is not None and Path(one) == STANDARD_INPUT:
            for path in _lines(listed):
                images += plain_files(path) if path.is_dir() else [path]
        else:
            images += _files(Path(one))
    if not images:
        raise DataError("no images to label in the paths given")
    once: dict[object, Path | PixelImage] = {}
    for image in images:
        once.setdefault(_key(image), image)
    return list(once.values())


def outside(images: Iterable[Path | PixelImage], folder: Path) -> list[Path | PixelImage]:
    """Leave out the files that lie below a folder.

    Raises
    ------
    DataError
        If all of them do.
    """
    root = folder.absolute()
    kept = [
        one for one in images if isinstance(one, PixelImage) or root not in one.absolute().parents
    ]
    if not kept:
        raise DataError(
            f"all images given lie in {shown(folder)}, where sorted ones are put: name others"
        )
    return kept


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return plain_files(path)
    if path.is_file():
        return [path]
    if not glob.has_magic(str(path)):
        raise DataError(f"no such file or folder: {shown(path)}")
    # Not Path.glob: it knows no absolute pattern.
    matches = sorted(map(Path, glob.glob(str(path), recursive=True)))  # noqa: PTH207
    found = [file for match in matches for file in _matched(match)]
    if not found:
        raise DataError(f"no file matches the pattern {shown(path)}")
    return found


def _matched(match: Path) -> list[Path]:
    return plain_files(match) if match.is_dir() else [match]


def _lines(listed: BinaryIO) -> list[Path]:
    """Read a path a line; a name is bytes, and need not be text."""
    lines = (line.rstrip(b"\r\n") for line in listed)
    return [Path(os.fsdecode(line)) for line in lines if line]


def _key(image: Path | PixelImage) -> object:
    """Return what tells one path from another; each image in memory stands for itself."""
    return id(image) if isinstance(image, PixelImage) else image.absolute()
