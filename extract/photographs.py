"""The images of a dataset, all or a part of them, where no table of them is needed: any number of them."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import DataError, OptionError
from ..storage import without_file
from .images.addresses import Reference
from .images.dataset import is_plain_folder, read_photographs
from .images.folder import ListedFiles, walk
from .images.images import UNLABELLED, Dataset, read_as
from .images.layout import Layout, Place, lay_out
from .images.names import is_litter, spelling, tell_spellings

_PART = re.compile(r"([0-9]+)/([0-9]+)")


@dataclass(frozen=True)
class Photographs:
    """Images to extract."""

    paths: Sequence[Reference]
    read_as: str  # what was understood, in a line
    warnings: list[str] = field(default_factory=list)  # what was left out, in words

    @classmethod
    def of(cls, dataset: Dataset) -> Photographs:
        """Return the images of a table."""
        return cls(dataset.paths, dataset.read_as, dataset.warnings)

    def part(self, part: Part) -> Photographs:
        """Return those of one part."""
        held = filter(part.holds, self.paths)
        if not isinstance(self.paths, ListedFiles):
            return replace(self, paths=[*held])
        paths = ListedFiles()
        for path in held:
            paths.append(str(path))
        return replace(self, paths=paths)


def list_photographs(
    path: str | os.PathLike[str], columns: Mapping[str, str] | None = None
) -> Photographs:
    """List what :func:`read_photographs` reads; the parameters and errors are its.

    Of a folder on a disk no table is made: its files are listed in a temporary file.
    """
    root = Path(without_file(os.fspath(path)))
    listed = _listed(root) if is_plain_folder(root, columns) else None
    return listed or Photographs.of(read_photographs(path, columns))


def _listed(root: Path) -> Photographs | None:
    """Return the files of a folder; None if there are none."""
    warnings: list[str] = []
    everything, folders = ListedFiles(), list[tuple[str, ...]]()

    def files() -> Iterator[tuple[str, ...]]:
        for parts, is_folder in walk(root, warnings):
            if is_folder:
                folders.append(parts)
            else:
                everything.append("/".join(parts))
                yield parts

    try:
        layout = lay_out(files(), str(root), folders)
    except DataError:  # no folder says a class: what is there is taken
        layout, warnings = Layout(), []
    paths, cells, labels = ListedFiles(), Counter[tuple[str, str | None]](), set[str]()
    for name in everything:
        place = layout.place(name.parts)
        if place is None and not layout.splits and not any(map(is_litter, name.parts)):
            place = Place(UNLABELLED, None)  # beside class folders; beside splits it is litter
        if place is not None:
            cells[spelling(place.label), place.split] += 1
            labels.add(place.label)
            paths.append(os.path.join(root, name))
    if not paths:
        return None
    lines = [*warnings, *layout.warnings, *tell_spellings(labels)]
    if UNLABELLED in labels:
        lines = [line for line in lines if "outside class folders" not in line]
    return Photographs(paths, read_as(cells), lines)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of all images. Each is in one, by its address: those that are added move no other.

    Parameters
    ----------
    number : int
        1 to ``of``.
    of : int
        Parts in all.
    """

    number: int
    of: int

    def holds(self, image: object) -> bool:
        """Tell whether an image is in this part.

        Examples
        --------
        >>> [Part(1, 2).holds(f"{number}.jpg") for number in range(6)]
        [True, False, True, True, True, True]
        """
        digest = hashlib.blake2b(os.fsencode(str(image)), digest_size=8).digest()
        return int.from_bytes(digest) % self.of == self.number - 1


def read_part(text: str) -> Part:
    """Read ``--part I/N``.

    Raises
    ------
    OptionError
        If it is written otherwise, or there is no such part.

    Examples
    --------
    >>> read_part("3/100")
    Part(number=3, of=100)
    """
    match = _PART.fullmatch(text)
    part = Part(*map(int, match.groups())) if match else Part(0, 0)
    if not 1 <= part.number <= part.of:
        raise OptionError(f"--part takes I/N with I from 1 to N, such as 3/100, got {text!r}")
    return part
