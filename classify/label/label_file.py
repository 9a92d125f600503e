"""The manifest that labels go into: plain CSV, on the disk before anything is said of it."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Self

from ...errors import DataError
from ...extract.images.addresses import Reference
from ...storage import replacing
from ...text import shown

if sys.platform != "win32":
    import fcntl

HEADER = ("path", "label", "reason")


class Given(NamedTuple):
    """A label, and why it was given: what the photograph was shown for, or ``"corrected"``."""

    label: str
    reason: str = ""


class LabelFile:
    """A manifest ``path,label,reason``, one row a photograph, that one process writes.

    New labels are appended and synced; what changes a row replaces the file in one piece, so that
    at any moment it is a manifest that ``fit head`` takes. What a power cut tore off its last line
    is cut off when it is opened.

    Parameters
    ----------
    path : Path
        Made, with its folder, when missing.

    Attributes
    ----------
    labels : dict of str to Given
        By :meth:`name` of a photograph.

    Raises
    ------
    DataError
        If it is another table, cannot be written, or another process has it open.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with LabelFile(Path(folder, "labels.csv")) as file:
    ...         file.put({"1.jpg": Given("cat"), "2.jpg": Given("dog", "check")})
    ...     print(Path(folder, "labels.csv").read_text(), end="")
    path,label,reason
    1.jpg,cat,
    2.jpg,dog,check
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder = path.absolute().parent
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = self._open()
            self.labels = self._read()
        except OSError as error:
            raise self._cannot(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def name(self, image: Reference) -> str:
        """Return what a photograph is called in it: below its folder relatively, else in full."""
        if not isinstance(image, Path):
            return str(image)
        path = image.absolute()
        inside = path.is_relative_to(self._folder)
        name = str(path.relative_to(self._folder)) if inside else str(path)
        return f"./{name}" if name != name.lstrip() else name

    def put(self, given: Mapping[str, Given]) -> None:
        """Write labels; an empty one takes a row away. They are on the disk when this returns.

        Raises
        ------
        DataError
            If the disk refuses; the file is as it was.
        """
        changed = {name: row for name, row in given.items() if self.labels.get(name) != row}
        after = {**self.labels, **changed}
        after = {name: row for name, row in after.items() if row.label}
        try:
            if changed.keys() & self.labels.keys():
                self._replace(after)
            else:
                self._append(_lines((name, *after[name]) for name in changed if name in after))
        except OSError as error:
            raise self._cannot(error) from error
        self.labels = after

    def _open(self) -> int:
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        if sys.platform != "win32":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                raise DataError(
                    f"another 'headstart label' writes {shown(self.path)}: end it, use its page, or "
                    "name another file with --out"
                ) from None
        return file

    def _read(self) -> dict[str, Given]:
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            os.truncate(self._file, len(whole))
        if not whole:
            self._append(_lines([HEADER]))
            return {}
        try:
            header, *rows = csv.reader(io.StringIO(whole.decode("utf-8"), newline=""), strict=True)
        except (ValueError, csv.Error) as error:
            raise self._other(str(error)) from error
        if tuple(header) not in (HEADER, HEADER[:2]) or any(len(r) != len(header) for r in rows):
            raise self._other(f"its first line is {','.join(header)}")
        labels = {name: Given(label, *reason) for name, label, *reason in rows if label}
        if len(labels) < len(rows) or tuple(header) != HEADER:
            self._replace(labels)
        return labels

    def _append(self, text: str) -> None:
        size = os.fstat(self._file).st_size
        data = text.encode("utf-8")
        try:
            while data:
                data = data[os.write(self._file, data) :]
            os.fsync(self._file)
        except OSError:
            with contextlib.suppress(OSError):
                os.truncate(self._file, size)
            raise

    def _replace(self, labels: Mapping[str, Given]) -> None:
        rows = ((name, *row) for name, row in labels.items())
        with replacing(self.path, durable=True) as temporary:
            temporary.write_bytes(_lines([HEADER, *rows]).encode("utf-8"))
        before, self._file = self._file, self._open()
        os.close(before)

    def _cannot(self, error: OSError) -> DataError:
        return DataError(f"cannot write the labels to {shown(self.path)}: {error.strerror}")

    def _other(self, why: str) -> DataError:
        return DataError(
            f"{shown(self.path)} is no manifest that 'headstart label' wrote ({shown(why)}): expected "
            f"{','.join(HEADER)}; name another file with --out"
        )


def _lines(rows: Iterable[Iterable[str]]) -> str:
    return "".join(_line(row) for row in rows)


def _line(row: Iterable[str]) -> str:
    r"""Return a row as CSV, ended by a line feed.

    Python before 3.13 quotes a carriage return in a field only where one ends the line.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(row)
    return text.getvalue().removesuffix("\r\n") + "\n"
