"""Files, folders, patterns, shards and URLs → the images to label."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from ...errors import DataError
from ...text import shown
from .addresses import Reference, reference
from .folder import ListedFiles, gather
from .in_memory import PixelImage
from .places import each_reference, references
from .shards.kinds import kind_named

STANDARD_INPUT = "-"


def list_images(
    given: Iterable[str | os.PathLike[str] | PixelImage], listed: BinaryIO | None = None
) -> Sequence[Reference | PixelImage]:
    """Return the images that files, folders and patterns stand for, each once.

    A folder stands for all plain files below it, hidden ones left out. What does not
    exist but holds ``*``, ``?`` or ``[`` is a pattern, as a shell's, where ``**`` runs
    through folders; ``{000..010}`` is written out. A shard stands for all images in it. All of
    these may be URLs. ``-`` stands for a list of files and folders; a file in it that does
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
    places = list(given)
    images = gather(_each(places, listed))
    if not images:
        raise DataError("no images to label in the paths given")
    if isinstance(images, ListedFiles) and len(places) == 1 and Path(str(places[0])).is_dir():
        return images  # a folder has each once
    once: dict[object, Reference | PixelImage] = {}
    for image in images:
        once.setdefault(_key(image), image)
    return list(once.values())


def _each(
    given: Iterable[str | os.PathLike[str] | PixelImage], listed: BinaryIO | None
) -> Iterator[Reference | PixelImage]:
    for place in given:
        if isinstance(place, PixelImage):
            yield place
        elif listed is not None and os.fspath(place) == STANDARD_INPUT:
            for line in _lines(listed):
                yield from _listed(line)
        else:
            yield from each_reference(place)


def outside(
    images: Iterable[Reference | PixelImage], folder: Path
) -> Sequence[Reference | PixelImage]:
    """Leave out the files that lie below a folder.

    Raises
    ------
    DataError
        If all of them do.
    """
    root = folder.absolute()
    kept = gather(
        image
        for image in images
        if not isinstance(image, Path) or root not in image.absolute().parents
    )
    if not kept:
        raise DataError(
            f"all images given lie in {shown(folder)}, where sorted ones are put: name others"
        )
    return kept


def _lines(listed: BinaryIO) -> Iterator[str]:
    """Read an address a line; a name is bytes, and need not be text."""
    lines = (line.rstrip(b"\r\n") for line in listed)
    return (os.fsdecode(line) for line in lines if line)


def _listed(line: str) -> list[Reference]:
    image = reference(line)
    whole = isinstance(image, Path) and (image.is_dir() or kind_named(image) is not None)
    return references(line) if whole else [image]


def _key(image: Reference | PixelImage) -> object:
    """Return what tells one image from another; each in memory stands for itself."""
    return id(image) if isinstance(image, PixelImage) else image.absolute()
