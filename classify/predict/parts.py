"""Labels of very many images in a folder of CSV files: written as they come, and not twice."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...extract.ledger import Failure
from ...storage import replacing
from ...text import shown
from .blocks import Images
from .predict import Prediction

ROWS = 1 << 16  # images a file


@dataclass
class Written:
    """How many images the files tell of."""

    labelled: int = 0
    failed: int = 0
    kept: int = 0  # in files that an earlier run had written


def write_parts(
    folder: Path,
    images: Images,
    label: Callable[[Images], Iterator[Prediction | Failure]],
    top: int,
    made_by: str,
) -> Written:
    """Label images into files of a folder; those that are there, of the same images, stay.

    A file has its name once it is whole, so that a run that was stopped goes on with the next.

    Parameters
    ----------
    folder : Path
        Made when missing.
    images : sequence of Reference or PixelImage
        From :func:`headstart.extract.images.listing.list_images`.
    label : callable
        Labels some of them, in their order.
    top : int
        Classes to name an image.
    made_by : str
        The classifier, and all that decides what it says.

    Raises
    ------
    DataError
        If a file cannot be written.
    """
    written = Written()
    for number, start in enumerate(range(0, len(images), ROWS)):
        block = images[start : start + ROWS]
        key = hashlib.sha256(f"{made_by} {top}".encode())
        for image in block:
            key.update(os.fsencode(f"\0{image}"))
        path = folder / f"part-{number:06}-{key.hexdigest()[:12]}.csv"
        if path.exists():
            written.kept += len(block)
            continue
        try:
            with (
                replacing(path) as temporary,
                open(temporary, "x", newline="", encoding="utf-8") as file,
            ):
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow([*header(top), "error"])
                for answer in label(block):
                    if isinstance(answer, Failure):
                        width = len(header(top)) - 1
                        writer.writerow([shown(answer.path), *[""] * width, answer.reason])
                        written.failed += 1
                    else:
                        writer.writerow([*row(answer, top), ""])
                        written.labelled += 1
        except OSError as error:
            raise DataError(f"cannot write {shown(path)}: {error.strerror}") from error
    return written


def header(top: int) -> list[str]:
    """Return the names of the columns."""
    ranks = [f"{name}_{rank}" for rank in range(1, top + 1) for name in ("class", "p")]
    return ["path", "label", "probability", "abstained", *ranks]


def row(prediction: Prediction, top: int) -> list[Any]:
    """Return what the columns hold of one image."""
    ranked = [cell for pair in prediction.top for cell in pair]
    label, sure = prediction.label or "", prediction.top[0][1]
    unsure = str(prediction.abstained).lower()
    padding = [""] * (2 * top - len(ranked))  # fewer classes than were asked for
    return [shown(prediction.path), label, sure, unsure, *ranked, *padding]
