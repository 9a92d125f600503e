"""Images into a folder for each class, as links or copies."""

from __future__ import annotations

import io
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from ...errors import DataError
from ...extract.decode.decode import MAX_PIXELS
from ...extract.images.addresses import Reference, file_name
from ...extract.images.names import spelling
from ...extract.images.read import read_image
from ...extract.ledger import Failure
from ...text import shown
from .predict import Prediction

UNSURE = "unsure"  # the folder of images that are left to a person
SHORT = 8  # first characters of an image's digest that tell it from another of its name


def link(image: Reference, target: Path) -> None:
    """Make a symbolic link to an image, by its whole path.

    Raises
    ------
    DataError
        If it is no file here.
    """
    if not isinstance(image, Path):
        raise DataError(f"nothing can link to {shown(image)}, which is no file here: use --copy")
    target.symlink_to(image.absolute())


def copy(image: Reference, target: Path) -> None:
    """Copy an image, a file with its times; nothing half-copied is left."""
    with _opened(image) as source, open(target, "xb") as file:
        try:
            shutil.copyfileobj(source, file)
        except BaseException:
            target.unlink()
            raise
    if isinstance(image, Path):
        shutil.copystat(image, target)


def _opened(image: Reference) -> BinaryIO:
    """Open a file, or an image from elsewhere, which is read whole."""
    if isinstance(image, Path):
        return open(image, "rb")
    return io.BytesIO(read_image(image, MAX_PIXELS)[1])


@dataclass
class ClassFolders:
    """Puts each image into the folder of its class; no file that is there is touched.

    Attributes
    ----------
    counts : Counter
        Images in each class's folder, by the folder's name.
    """

    folder: Path  # holds a folder for each class, and `unsure`; nothing outside it is written
    put: Callable[[Reference, Path], None] = link  # `link` or `copy`
    counts: Counter[str] = field(default_factory=Counter)

    def place(self, answer: Prediction | Failure) -> Prediction | Failure:
        """Put one image into its folder and return the prediction that says where.

        A failure is returned as it is.
        An image that is there already, from an earlier run, stays as it is. Another of the
        same name gets the first characters of its digest behind its name, and a number
        where even that is taken.

        Raises
        ------
        DataError
            If it cannot be written, or its folder is a link that leads elsewhere.
        """
        if isinstance(answer, Failure):
            return answer
        name = UNSURE if answer.label is None else folder_name(answer.label)
        return replace(answer, placed=self.put_into(name, answer.path, answer.digest))

    def put_into(self, name: str, image: Reference, digest: bytes) -> Path:
        """Put an image into the folder of this name; return where, see :meth:`place`."""
        try:
            place = self._made(name)
            for target in _names(place, image, digest):
                if not os.path.lexists(target):
                    self.put(image, target)
                elif not self._same(image, target):
                    continue
                self.counts[name] += 1
                return target
        except OSError as error:
            raise DataError(
                f"cannot sort {shown(image)} into {shown(self.folder / name)}: {error.strerror}"
            ) from error
        raise AssertionError("names never end")

    def summary(self) -> str:
        """Say how many images lie where."""
        each = ", ".join(f"{shown(name)} {count:,}" for name, count in sorted(self.counts.items()))
        return f"sorted into {shown(self.folder)}: {each or 'nothing'}"

    def _made(self, name: str) -> Path:
        place = self.folder / name
        place.mkdir(parents=True, exist_ok=True)
        if not self.counts[name] and name not in map(spelling, os.listdir(self.folder)):
            raise DataError(
                f"{shown(place)} is there in another spelling, and this disk tells no capital "
                "letters: rename the class, or sort onto another disk"
            )
        if place.resolve().parent != self.folder.resolve():
            raise DataError(
                f"{shown(place)} leads to {shown(place.resolve())}: nothing outside "
                f"{shown(self.folder)} is written; take that link away"
            )
        return place

    def _same(self, image: Reference, target: Path) -> bool:
        """Tell whether an earlier run put this very image there."""
        if self.put is link:
            return target.is_symlink() and str(target.readlink()) == str(image.absolute())
        return _is_copy(image, target)


def folder_name(label: str) -> str:
    r"""Return a class's name as that of one folder; two classes never share one.

    What no folder may be called somewhere (separators, control characters, Windows's signs, a dot
    at either end) and the percent sign are written in hexadecimal, as in a URL (RFC 3986,
    section 2.1), and the first letter of a class that is called like the folder of images left to
    a person.

    Examples
    --------
    >>> folder_name("spider monkey"), folder_name("../cat"), folder_name("a\\b%"), folder_name("..")
    ('spider monkey', '%2E.%2Fcat', 'a%5Cb%25', '%2E%2E')
    """
    ends = {0, len(label) - 1}
    taken = label.casefold() == UNSURE
    return "".join(
        _escaped(c)
        if _unsafe(c) or (c == "." and position in ends) or (taken and position == 0)
        else c
        for position, c in enumerate(label)
    )


def _unsafe(character: str) -> bool:
    return character in '/\\%<>:"|?*' or not character.isprintable()


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in os.fsencode(character))


def _names(place: Path, image: Reference, digest: bytes) -> Iterator[Path]:
    """Return the names to try: the image's own, with its digest, with a number."""
    path = Path(file_name(image))
    yield place / path.name
    short = digest.hex()[:SHORT]
    yield place / f"{path.stem}-{short}{path.suffix}"
    number = 2
    while True:
        yield place / f"{path.stem}-{short}-{number}{path.suffix}"
        number += 1


def _is_copy(image: Reference, target: Path) -> bool:
    if not target.is_file():
        return False
    if isinstance(image, Path) and image.stat().st_size != target.stat().st_size:
        return False
    with _opened(image) as one, open(target, "rb") as other:
        while block := one.read(1 << 20):
            if block != other.read(len(block)):
                return False
        return not other.read(1)
