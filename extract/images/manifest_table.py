"""The bytes of a manifest as rows of path, label, split and group: encodings, columns, dialects."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ...errors import DataError, OptionError
from ...text import shown

COLUMNS = ("path", "label", "split", "group")
# What other tools call them; the first that is there counts, headstart's own before all.
ALIASES = {
    "path": (
        *("filename", "file_name", "filepath", "file_path", "file", "image", "image_path"),
        *("img_path", "img", "image_name", "image_file"),
    ),
    "label": ("class", "category", "class_name", "label_name", "labels", "target"),
    "split": ("subset", "partition", "set"),
    "group": ("group_id",),
}
DELIMITERS = ",;\t|"
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
WESTERN = "cp1252"  # what spreadsheets of western Europe and America write; a part of it is Latin-1


class ManifestRow(NamedTuple):
    """One row, as it stands there but for spaces around its fields."""

    line: int  # where it begins; a quoted field may hold line ends
    # empty where there is none
    path: str = ""
    label: str = ""
    split: str = ""
    group: str = ""
    problem: str = ""  # what is wrong with the row


@dataclass(frozen=True, slots=True)
class ManifestTable:
    """The rows of a manifest, read one by one."""

    rows: Iterator[ManifestRow]  # in the file's order
    encoding: str  # that it was read by
    warnings: list[str] = field(default_factory=list)  # what was assumed, in words


def read_columns(text: str) -> dict[str, str]:
    """Read ``--columns``: ``path=NAME,label=NAME``.

    Raises
    ------
    OptionError
        If it is written otherwise, or names no column of ours.

    Examples
    --------
    >>> read_columns("path=filename,label=class")
    {'path': 'filename', 'label': 'class'}
    """
    pairs = [part.partition("=")[::2] for part in text.split(",")]
    columns = {ours.strip(): theirs.strip() for ours, theirs in pairs}
    if len(columns) < len(pairs) or not all(columns.values()) or not columns.keys() <= set(COLUMNS):
        raise OptionError(
            f"--columns {text} is not understood: expected OURS=THEIRS with commas between, where "
            f"OURS is one of {', '.join(COLUMNS)}; for example path=filename,label=class"
        )
    return columns


def read_table(
    data: bytes,
    where: str,
    columns: Mapping[str, str] | None = None,
    *,
    needs_labels: bool = True,
) -> ManifestTable:
    """Read a manifest's bytes: CSV by comma, semicolon, tab or bar, or JSON, a row a line.

    Parameters
    ----------
    data : bytes
        The whole file.
    where : str
        What it is called in messages.
    columns : mapping of str to str, optional
        Our column to the file's; the usual names are known without.
    needs_labels : bool
        Whether the column of labels must be there.

    Raises
    ------
    DataError
        If its columns are not understood; the message shows the option that maps them. While rows
        are taken: if it is not CSV.
    """
    text, encoding, warnings = _decoded(data, where)
    rows = _json_rows if text.lstrip()[:1] == "{" else _csv_rows
    needed = ("path", "label") if needs_labels else ("path",)
    return ManifestTable(rows(text, where, columns or {}, needed), encoding, warnings)


def _decoded(data: bytes, where: str) -> tuple[str, str, list[str]]:
    """Return the text of a file, by its mark, as UTF-8, or as what spreadsheets write else."""
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding), encoding, []
    except UnicodeDecodeError:
        pass
    try:
        text, encoding = data.decode(WESTERN), WESTERN
    except UnicodeDecodeError:
        text, encoding = data.decode("latin-1"), "latin-1"
    warning = (
        f"{where} is not UTF-8: read as {encoding} (Western European); save it as UTF-8 if names "
        "look wrong"
    )
    return text, encoding, [warning]


def _csv_rows(
    text: str, where: str, columns: Mapping[str, str], needed: Sequence[str]
) -> Iterator[ManifestRow]:
    head = text[: text.find("\n")] if "\n" in text else text
    delimiter = max(DELIMITERS, key=lambda mark: (head.count(mark), -DELIMITERS.index(mark)))
    reader = csv.reader(
        io.StringIO(text, newline=""), strict=True, delimiter=delimiter, skipinitialspace=True
    )
    try:
        header = [name.strip() for name in next(reader, [])]
        places = find_columns(header, where, columns, needed)
        line = reader.line_num + 1
        for fields in reader:
            if len(fields) != len(header) and fields:
                yield ManifestRow(line, problem=f"expected {len(header)} fields, got {len(fields)}")
            elif fields:
                yield ManifestRow(line, **{ours: fields[place] for ours, place in places.items()})
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{where} is not CSV: line {reader.line_num}: {error}") from error


def _json_rows(
    text: str, where: str, columns: Mapping[str, str], needed: Sequence[str]
) -> Iterator[ManifestRow]:
    """Read JSON lines, as ``metadata.jsonl`` of Hugging Face's image folders."""
    places: dict[str, str] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
        except ValueError as error:
            raise DataError(f"{where} is not JSON: line {number}: {error}") from error
        if not isinstance(document, dict):
            yield ManifestRow(number, problem="expected an object with path and label")
            continue
        if places is None:
            names = list(document)
            columns_here = find_columns(names, where, columns, needed)
            places = {ours: names[place] for ours, place in columns_here.items()}
        values = {ours: document.get(theirs) for ours, theirs in places.items()}
        yield ManifestRow(
            number, **{ours: "" if v is None else str(v) for ours, v in values.items()}
        )


def find_columns(
    header: Sequence[str],
    where: str,
    columns: Mapping[str, str],
    needed: Sequence[str] = ("path", "label"),
) -> dict[str, int]:
    """Return where each of our columns stands.

    Raises
    ------
    DataError
        If one that is needed is not there or one is there twice; the message shows the option that
        maps them.

    Examples
    --------
    >>> find_columns(["Filename", "class", "width"], "m.csv", {})
    {'path': 0, 'label': 1}
    """
    folded = [name.casefold() for name in header]
    places: dict[str, int] = {}
    for ours in COLUMNS:
        names = [columns[ours].casefold()] if ours in columns else [ours, *ALIASES[ours]]
        theirs = next((name for name in names if name in folded), None)
        if theirs is None and ours in columns:
            raise DataError(f"{where} has no column {columns[ours]!r}; it has {_listed(header)}")
        if theirs is not None:
            if folded.count(theirs) > 1:
                raise DataError(f"{where}: the column {theirs} stands there twice")
            places[ours] = folded.index(theirs)
    lacking = [ours for ours in needed if ours not in places]
    if lacking:
        free = [name for place, name in enumerate(header) if place not in places.values()]
        given = {ours: header[place] for ours, place in places.items()}
        given |= dict(zip(lacking, free, strict=False))
        example = ",".join(f"{o}={given.get(o, 'NAME')}" for o in ("path", "label"))
        raise DataError(
            f"{where}: expected the columns path,label (and optionally split,group), got "
            f"{_listed(header)}; say which is which, such as --columns {shown(example)}"
        )
    return places


def _listed(header: Sequence[str]) -> str:
    return shown(",".join(header)) or "an empty file"
