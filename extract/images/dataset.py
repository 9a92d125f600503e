"""What the user names as DATA, as a table of images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ...errors import DataError
from ...storage import is_url, without_file
from ...text import shown
from .addresses import reference
from .folder import read_folder, subfolders
from .images import Dataset
from .manifest import read_manifest
from .objects import parts_below, read_objects
from .places import files_at, is_pattern
from .remote import File, Remote
from .shard_dataset import holds_shards, read_shards
from .shards.kinds import kind_named, list_shard


def read_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Read a folder, a CSV manifest or shards, on a disk or behind a URL.

    Parameters
    ----------
    path : path or URL
        A folder with one sub-folder a class, or with split folders that hold
        those; a CSV file with the columns ``path,label`` and optionally
        ``split,group``, whose paths are relative to the file; a WebDataset tar
        file, a Parquet file or a TFRecord; a folder of such shards, in split
        folders or named after their splits; or a pattern such as
        ``train-{000..010}.tar``.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If nothing usable is there; the message says what was expected.
    OptionError
        If a package is missing; the message names the pip command.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("cat/1.jpg", "dog/1.jpg"):
    ...         file = Path(folder, name)
    ...         file.parent.mkdir()
    ...         _ = file.write_bytes(b"...")
    ...     read_dataset(folder).classes
    ['cat', 'dog']
    """
    text = without_file(os.fspath(path))
    root = reference(text)
    if isinstance(root, Path) and root.is_dir():
        shards = _shards_in(root)
        return read_shards(root, shards) if shards else read_folder(root)
    if isinstance(root, Path) and root.is_file():
        return _read_file(root)
    if is_url(text):
        return _read_url(Remote(text))
    if is_pattern(text):
        return read_shards(Path(text), files_at(text))
    raise DataError(
        f"no such folder or manifest: {shown(text)}; nor is it a shard, or a pattern of shards"
    )


def _read_file(file: File) -> Dataset:
    return read_manifest(file) if list_shard(file) is None else read_shards(file, [file])


def _read_url(root: Remote) -> Dataset:
    files = files_at(root.url)
    if is_pattern(root.url):
        return read_shards(root, files)
    if [str(file) for file in files] == [root.url]:
        return _read_file(files[0])
    folders = {file: parts_below(file, root)[:-1] for file in files}
    shards = [file for file in files if kind_named(file) and holds_shards(folders[file])]
    if shards and all(holds_shards(names) for names in folders.values()):
        return read_shards(root, shards)
    return read_objects(root, files)


def _shards_in(root: Path) -> Sequence[Path]:
    """Return a folder's shards; none when it has class folders, beside which they are litter."""
    found: list[Path] = []
    ahead = [root]
    while ahead:
        folder = ahead.pop(0)
        below = subfolders(folder, [])
        if not holds_shards([place.name for place in below]):
            return []
        ahead += below
        found += sorted(
            Path(entry.path)
            for entry in os.scandir(folder)
            if kind_named(Path(entry.name)) and entry.name[0] != "." and entry.is_file()
        )
    return found
