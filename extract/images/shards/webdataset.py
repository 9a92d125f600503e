"""WebDataset: tar files whose neighbouring members of one key are one sample.

https://github.com/webdataset/webdataset has the convention: ``key.jpg`` beside ``key.cls`` or
``key.json``, where a key ends at the first dot of the file's name. A tar of a plain folder of
classes is read, too.
"""

from __future__ import annotations

import itertools
import json
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from ....errors import DataError
from ..remote import File
from .members import Member
from .sample import Sample

PICTURES = {
    *("avif", "bmp", "gif", "j2k", "jfif", "jp2", "jpe", "jpeg", "jpg", "pbm", "pgm", "png", "pnm"),
    *("ppm", "psd", "qoi", "tif", "tiff", "webp"),
}


LARGEST_LABEL = 1 << 20  # bytes of a .cls or .json


class _Entry(NamedTuple):
    key: str
    ending: str  # all after the first dot
    member: tarfile.TarInfo

    @property
    def is_picture(self) -> bool:
        return self.ending.rpartition(".")[2] in PICTURES


def recognise(head: bytes) -> bool:
    """Tell a tar file by its header's magic (POSIX.1-1988, or GNU's)."""
    return head[257:262] == b"ustar"


def read(shard: File, file: Any, warnings: list[str]) -> list[Sample]:
    """Return the samples of a tar file: where each image lies, and its label.

    The first image decides where labels are: in ``key.cls`` (a name or a number), in
    ``key.json`` under ``label``, or in the folders that hold it: then a sample has no label of
    its own, and its name tells the folders.

    Raises
    ------
    DataError
        If a sample lacks the label that the first has, or has several images for one label.
    """
    samples: list[Sample] = []
    source: str | None = None
    lacking: Exception | None = (
        None  # what is wrong with a sample; no matter if the file is cut there
    )
    with tarfile.open(fileobj=file, mode="r:") as archive:
        entries = _entries(archive)
        for key, group in itertools.groupby(entries, lambda entry: entry.key):
            if lacking:
                raise lacking
            parts = list(group)
            pictures = [entry for entry in parts if entry.is_picture]
            if not pictures:
                continue
            source = source or _source(archive, parts)
            where = f"{shard}: sample {key!r}"
            if source in ("cls", "json") and len(pictures) > 1:
                endings = ", ".join(entry.ending for entry in pictures)
                raise DataError(f"{where} has {len(pictures)} images ({endings}): expected one")
            try:
                label = _label(archive, parts, source, where)
            except (DataError, tarfile.ReadError) as error:
                lacking = error
                continue
            samples += [
                Sample(
                    Member(shard, entry.member.offset_data, entry.member.size),
                    label,
                    entry.member.name,
                )
                for entry in pictures
            ]
        if lacking and _is_whole(archive, file):
            raise lacking
        if not _is_whole(archive, file):
            warnings.append(f"{shard} is cut short or damaged: what is whole in it is used")
    return samples


def _is_whole(archive: tarfile.TarFile, file: Any) -> bool:
    """Tell whether the archive was read up to its end mark, a block of zeros."""
    file.seek(archive.offset)
    return bool(file.read(tarfile.BLOCKSIZE) == tarfile.NUL * tarfile.BLOCKSIZE)


def _entries(archive: tarfile.TarFile) -> Iterator[_Entry]:
    """Walk the plain files of an archive, hidden ones left out, as far as it goes."""
    members = iter(archive)
    while True:
        try:
            member = next(members, None)
        except tarfile.ReadError:
            return  # its end mark will be missed
        if member is None:
            return
        path = PurePosixPath(member.name)
        stem, _, ending = path.name.partition(".")
        if member.isreg() and not member.issparse() and stem and ending:
            yield _Entry(str(path.parent / stem), ending.lower(), member)


def _source(archive: tarfile.TarFile, parts: list[_Entry]) -> str:
    """Decide by the first sample with an image where labels are."""
    endings = {entry.ending for entry in parts}
    if "cls" in endings:
        return "cls"
    if "json" in endings and "label" in _described(archive, parts):
        return "json"
    return "folder" if PurePosixPath(parts[0].key).parent.name else "nowhere"


def _label(
    archive: tarfile.TarFile, parts: list[_Entry], source: str, where: str
) -> str | int | None:
    if source == "folder" and not PurePosixPath(parts[0].key).parent.name:
        return _missing(where, "folder")
    if source == "cls":
        text = _text(archive, parts, "cls")
        if text is None or not text.strip():
            return _missing(where, "cls")
        text = text.strip()
        return int(text) if text.isascii() and text.isdigit() else text
    if source == "json":
        label = _described(archive, parts).get("label")
        if isinstance(label, bool) or not isinstance(label, str | int) or label == "":
            return _missing(where, "json")
        return label
    return None


_WANTED = {
    "folder": "a folder named after its class",
    "cls": "a member .cls with its class",
    "json": "a member .json with its class under 'label', a name or a number",
}


def _missing(where: str, source: str) -> str:
    raise DataError(f"{where}: expected {_WANTED[source]}, as the first sample has")


def _described(archive: tarfile.TarFile, parts: list[_Entry]) -> dict[str, Any]:
    try:
        document = json.loads(_text(archive, parts, "json") or "{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _text(archive: tarfile.TarFile, parts: list[_Entry], ending: str) -> str | None:
    for entry in parts:
        small = entry.ending == ending and entry.member.size <= LARGEST_LABEL
        if small and (file := archive.extractfile(entry.member)) is not None:
            return file.read().decode("utf-8", "replace")
    return None
