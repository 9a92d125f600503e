"""Labels of very many images in a folder of CSV or Parquet files: written as they come, and not twice."""

from __future__ import annotations

import csv
import hashlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DataError, OptionError, unknown
from ...extract.ledger import Failure
from ...storage import replacing
from ...text import shown
from .blocks import Images
from .predict import Prediction

ROWS = 1 << 16  # images a file
GROUP = 1 << 12  # of them a Parquet file takes together

Rows = Iterable[Sequence[Any]]  # a cell for each column; None where there is nothing


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
    form: str = "csv",
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
    form : str
        A row of :data:`FORMS`: the files' ending.

    Raises
    ------
    DataError
        If a file cannot be written.
    """
    written = Written()
    names = [*header(top), "error"]
    for number, start in enumerate(range(0, len(images), ROWS)):
        block = images[start : start + ROWS]
        key = hashlib.sha256(f"{made_by} {top}".encode())
        for image in block:
            key.update(os.fsencode(f"\0{image}"))
        path = folder / f"part-{number:06}-{key.hexdigest()[:12]}.{form}"
        if path.exists():
            written.kept += len(block)
            continue
        try:
            with replacing(path) as temporary:
                FORMS[form](temporary, names, _rows(label(block), top, written))
        except OSError as error:
            raise DataError(f"cannot write {shown(path)}: {error.strerror or error}") from error
    return written


def find_form(name: str) -> str:
    """Return the form of the files that ``--format`` names; CSV where it names none.

    Raises
    ------
    OptionError
        If no file has it, or its library is missing.
    """
    form = "csv" if name == "table" else name
    if form not in FORMS:
        raise unknown("format of files", name, list(FORMS))
    if form == "parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ModuleNotFoundError as error:
            raise OptionError(
                "--format parquet needs pyarrow: pip install 'headstart[parquet]'"
            ) from error
    return form


def _rows(
    answers: Iterable[Prediction | Failure], top: int, written: Written
) -> Iterator[Sequence[Any]]:
    """Yield a row for each image, its error last, and count them."""
    for answer in answers:
        if isinstance(answer, Failure):
            written.failed += 1
            yield [shown(answer.path), *[None] * (2 * top + 3), answer.reason]
        else:
            written.labelled += 1
            yield [*row(answer, top), None]


def header(top: int) -> list[str]:
    """Return the names of the columns."""
    ranks = [f"{name}_{rank}" for rank in range(1, top + 1) for name in ("class", "p")]
    return ["path", "label", "probability", "abstained", *ranks]


def row(prediction: Prediction, top: int) -> list[Any]:
    """Return what the columns hold of one image."""
    ranked = [cell for pair in prediction.top[:top] for cell in pair]
    padding = [None] * (2 * top - len(ranked))  # fewer classes than were asked for
    sure = prediction.top[0][1]
    unsure = prediction.abstained
    return [shown(prediction.path), prediction.label, sure, unsure, *ranked, *padding]


def csv_cells(cells: Iterable[Any]) -> list[Any]:
    """Return a row as it stands in CSV: ``true`` and ``false`` as in JSON, nothing for None."""
    return [str(cell).lower() if isinstance(cell, bool) else cell for cell in cells]


def _write_csv(path: Path, names: Sequence[str], rows: Rows) -> None:
    with open(path, "x", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(map(csv_cells, rows))


def _write_parquet(path: Path, names: Sequence[str], rows: Rows) -> None:
    """Write strings, float64 and booleans; None is null."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"probability": pa.float64(), "p": pa.float64(), "abstained": pa.bool_()}
    schema = pa.schema([(name, kinds.get(name.partition("_")[0], pa.string())) for name in names])
    ahead = iter(rows)
    with pq.ParquetWriter(path, schema) as writer:
        while group := [*itertools.islice(ahead, GROUP)]:
            columns = [[*column] for column in zip(*group, strict=True)]
            writer.write_table(pa.table(columns, schema=schema))


FORMS: dict[str, Callable[[Path, Sequence[str], Rows], None]] = {
    "csv": _write_csv,
    "parquet": _write_parquet,
}
