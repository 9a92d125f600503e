"""What lies at a place: the files of a folder, behind a URL, or of a pattern."""

from __future__ import annotations

import functools
import glob
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...errors import DataError
from ...storage import attempt, file_system, is_url, telling, without_file
from ...text import shown
from .addresses import Reference, reference
from .folder import each_plain_file, plain_files
from .remote import File, Remote, signature_of
from .shards.kinds import kind_named, list_shard
from .shards.members import InShard

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}|\{([^{}]*,[^{}]*)\}")
_MAGIC = re.compile(r"[*?[{]")


def references(place: str | os.PathLike[str]) -> list[Reference]:
    """Return the images at a place; labels are not looked for.

    Parameters
    ----------
    place : str or path
        A file, a folder, a shard, an image inside one (``train.tar#1024+53321``), or a
        pattern of files with ``*``, ``?`` or ``{000..010}``; each a path or a URL.

    Returns
    -------
    list of Path, Remote, Member or Row

    Raises
    ------
    DataError
        If there is nothing, or a shard cannot be read.
    """
    return [*each_reference(place)]


def each_reference(place: str | os.PathLike[str]) -> Iterator[Reference]:
    """Yield what :func:`references` returns, a folder's files as they are found."""
    address = reference(place)
    if isinstance(address, InShard):
        yield address
        return
    if isinstance(address, Path) and address.is_dir():
        files: Iterable[File] = each_plain_file(address)
    else:
        files = files_at(place)
    if files == [address]:  # named by itself: worth a look at its first bytes
        yield from _images(address)
        return
    for file in files:
        if kind_named(file) is None:
            yield file
        else:
            yield from _images(file)


def _images(file: File) -> list[Reference]:
    listing = list_shard(file)
    return [file] if listing is None else [sample.image for sample in listing.samples]


def files_at(place: str | os.PathLike[str]) -> list[File]:
    """Return all files at a place, in sorted order.

    Parameters
    ----------
    place : str or path
        A file, a folder or a pattern; a path or a URL.

    Raises
    ------
    DataError
        If there is none.
    """
    text = without_file(os.fspath(place))
    if is_url(text):
        return _remote_files(text)
    path = Path(text)
    if path.is_dir():
        return [*plain_files(path)]
    if os.path.lexists(text):
        return [path]
    if is_pattern(text):
        return [*_expanded(text)]
    raise DataError(f"no such file or folder: {shown(text)}")


def is_pattern(text: str) -> bool:
    """Tell whether a name has ``*``, ``?``, ``[`` or ``{`` in it."""
    return _MAGIC.search(text) is not None


def braces(text: str) -> list[str]:
    """Write out ``{000..010}`` and ``{a,b}`` as shells do.

    Examples
    --------
    >>> braces("{train,test}-{08..10}.tar")[:4]
    ['train-08.tar', 'train-09.tar', 'train-10.tar', 'test-08.tar']
    """
    match = _BRACES.search(text)
    if match is None:
        return [text]
    low, high, names = match.groups()
    inside = (
        names.split(",")
        if names
        else [str(number).zfill(len(low)) for number in range(int(low), int(high) + 1)]
    )
    head, tail = text[: match.start()], text[match.end() :]
    return [head + written + rest for written in inside for rest in braces(tail)]


def _expanded(pattern: str) -> list[Path]:
    """Return the local files of a pattern; each name that braces write out must be there."""
    expanded: list[Path] = []
    for written in braces(pattern):
        names = sorted(glob.glob(written, recursive=True))  # noqa: PTH207 - Path.glob wants no root
        files = [file for name in names for file in _plain(Path(name))]
        if not files:
            of = f" (of {shown(pattern)})" if written != pattern else ""
            raise DataError(f"no file matches the pattern {shown(written)}{of}")
        expanded += files
    return expanded


def _plain(match: Path) -> list[Path]:
    return plain_files(match) if match.is_dir() else [match]


def _remote_files(url: str) -> list[File]:
    files: dict[str, Remote] = {}
    for written in braces(url):
        with telling(DataError, f"cannot list {written}"):
            listed = attempt(functools.partial(_listed, written))
        if not listed:
            raise DataError(f"nothing is at {written}: no such file, folder or pattern")
        files |= {file.url: file for file in listed}
    return [*files.values()]


def _listed(url: str) -> list[Remote]:
    """List a file, all below a folder, or a pattern: a request a page, none a file."""
    system, path = file_system(url)
    if url.startswith(("http://", "https://")) and not url.endswith("/"):
        # Whether it is a page that lists others, its address must say.
        return [Remote(url, signature_of(system.info(path)))]
    look = system.glob if is_pattern(url) else system.find
    entries = look(path, detail=True)
    if list(entries) == [path]:
        return [Remote(url, signature_of(entries[path]))]
    return [
        Remote(system.unstrip_protocol(name), signature_of(info))
        for name, info in sorted(entries.items())
        if info["type"] == "file" and not name.endswith("/")
    ]
