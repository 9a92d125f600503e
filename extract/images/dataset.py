"""What the user names as DATA, as a table of images."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import DataError
from ...storage import is_url, without_file
from ...text import shown
from ..decode.formats import find_kind
from .addresses import reference
from .folder import plain_files, read_folder, subfolders
from .images import UNLABELLED, Dataset, Image
from .in_memory import PixelImage
from .listing import STANDARD_INPUT, list_images
from .manifest import read_manifest
from .names import spelling, split_named, tell_spellings
from .objects import parts_below, read_objects
from .places import files_at, is_pattern, references
from .remote import File, Remote, open_file
from .shard_dataset import holds_shards, read_shards
from .shards.kinds import kind_named, list_shard

METADATA = ("metadata.csv", "metadata.jsonl")
HEAD_BYTES = 4096
LIST = ".txt"  # an image or a folder a line


def read_dataset(path: str | os.PathLike[str], columns: Mapping[str, str] | None = None) -> Dataset:
    """Read a folder, a manifest or shards, on a disk or behind a URL.

    Parameters
    ----------
    path : path or URL
        A folder with one sub-folder a class, or with split folders that hold
        those; a CSV file with the columns ``path,label`` and optionally
        ``split,group``, whose paths are relative to the file; a WebDataset tar
        file, a Parquet file or a TFRecord; a folder of such shards, in split
        folders or named after their splits; or a pattern such as
        ``train-{000..010}.tar``.
    columns : mapping of str to str, optional
        Our column to a manifest's, such as ``{"path": "filename"}``; the usual names are known.

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
    dataset = _read(without_file(os.fspath(path)), columns)
    return _settle_spellings(dataset)


def read_photographs(
    path: str | os.PathLike[str], columns: Mapping[str, str] | None = None
) -> Dataset:
    """Read what :func:`read_dataset` reads, and photographs that have no label as well.

    Parameters
    ----------
    path : path or URL
        A folder, labelled or flat; a manifest whose labels may be missing; a text file (``.txt``)
        that names an image or a folder a line; shards; a pattern.
    columns : mapping of str to str, optional
        Our column to a manifest's.

    Returns
    -------
    Dataset
        Images without a label have the label ``""``.

    Raises
    ------
    DataError
        If nothing usable is there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "1.jpg").write_bytes(b"...")
    ...     read_photographs(folder).read_as
    'read as: 1 image without labels'
    """
    text = without_file(os.fspath(path))
    place = reference(text)
    if isinstance(place, Path) and place.is_file() and list_shard(place) is None:
        return _read_unlabelled_file(place, columns)
    try:
        dataset = read_dataset(path, columns)
    except DataError:  # no folder says a class: what is there is read, or raises what is wrong
        root = place if isinstance(place, Path | Remote) else Path(text)
        found = [Image(image, UNLABELLED) for image in references(text)]
        if not found:
            raise
        return Dataset(root, found)
    return _with_loose(dataset)


def is_plain_folder(root: Path, columns: Mapping[str, str] | None) -> bool:
    """Tell whether a path is a folder whose files are images: no metadata names them, no shard holds them."""
    return root.is_dir() and _described(root, columns) is None and not _shards_in(root)


def _read(text: str, columns: Mapping[str, str] | None) -> Dataset:
    root = reference(text)
    if isinstance(root, Path) and root.is_dir():
        if (described := _described(root, columns)) is not None:
            return described
        shards = _shards_in(root)
        return read_shards(root, shards) if shards else read_folder(root)
    if isinstance(root, Path) and root.is_file():
        return _read_file(root, columns)
    if is_url(text):
        return _read_url(Remote(text), columns)
    if is_pattern(text):
        return read_shards(Path(text), files_at(text))
    raise DataError(
        f"no such folder or manifest: {shown(text)}; nor is it a shard, or a pattern of shards"
    )


def _settle_spellings(dataset: Dataset) -> Dataset:
    """Let a class have one spelling, and tell of those that look alike."""
    labels = dataset.counts()
    warnings = tell_spellings(labels)
    spelt = {label: name for label in labels if (name := spelling(label)) != label}
    images = dataset.images
    if spelt:
        images = [
            replace(image, label=spelt.get(image.label, image.label)) for image in dataset.images
        ]
    return replace(dataset, images=images, warnings=dataset.warnings + warnings)


def _read_file(file: File, columns: Mapping[str, str] | None) -> Dataset:
    if list_shard(file) is not None:
        return read_shards(file, [file])
    with open_file(file) as opened:
        head = opened.read(HEAD_BYTES)
    kind = find_kind(head)
    if kind is not None and kind.name.endswith(("archive", "compressed file")):
        raise DataError(
            f"{shown(file)} is {kind.name.removeprefix('not an image but ')}: unpack it and name the "
            "folder, or pack the photographs into a plain tar file, which is read as it is"
        )
    return read_manifest(file, columns)


def _described(root: Path, columns: Mapping[str, str] | None) -> Dataset | None:
    """Read ``metadata.csv`` or ``metadata.jsonl``, as in Hugging Face's folders of images.

    https://huggingface.co/docs/datasets/image_dataset: it lies in the folder, or in each split's.
    """
    if (file := _metadata(root)) is not None:
        return replace(read_manifest(file, columns), root=root)
    folders = {folder: split_named(folder.name) for folder in subfolders(root, [])}
    files = {
        file: split
        for folder, split in folders.items()
        if split is not None and (file := _metadata(folder)) is not None
    }
    if not files or len(files) < sum(split is not None for split in folders.values()):
        return None
    parts = [read_manifest(file, columns, split) for file, split in files.items()]
    return Dataset(
        root,
        [image for part in parts for image in part.images],
        [line for part in parts for line in part.warnings],
    )


def _metadata(folder: Path) -> Path | None:
    """Return a folder's file of metadata, if that is what labels its images."""
    file = next((folder / name for name in METADATA if (folder / name).is_file()), None)
    if file is None:
        return None
    with open(file, "rb") as opened:
        head = opened.read(HEAD_BYTES).partition(b"\n")[0]
    return file if b"file_name" in head and b"label" in head else None


def _read_url(root: Remote, columns: Mapping[str, str] | None) -> Dataset:
    files = files_at(root.url)
    if is_pattern(root.url):
        return read_shards(root, files)
    if [str(file) for file in files] == [root.url]:
        return _read_file(files[0], columns)
    folders = {file: parts_below(file, root)[:-1] for file in files}
    shards = [file for file in files if kind_named(file) and holds_shards(folders[file])]
    if shards and all(holds_shards(names) for names in folders.values()):
        return read_shards(root, shards)
    return read_objects(root, files)


def _shards_in(root: Path) -> Sequence[Path]:
    """Return a folder's shards; none when it has class folders, beside which they are litter."""
    shards: list[Path] = []
    ahead = [root]
    while ahead:
        folder = ahead.pop(0)
        below = subfolders(folder, [])
        if not holds_shards([place.name for place in below]):
            return []
        ahead += below
        shards += sorted(
            Path(entry.path)
            for entry in os.scandir(folder)
            if kind_named(Path(entry.name)) and entry.name[0] != "." and entry.is_file()
        )
    return shards


def _read_unlabelled_file(file: Path, columns: Mapping[str, str] | None) -> Dataset:
    if file.suffix.casefold() != LIST:
        return read_manifest(file, columns, needs_labels=False)
    with open(file, "rb") as lines:
        listed = [
            image
            for image in list_images([STANDARD_INPUT], lines)
            if not isinstance(image, PixelImage)
        ]
    return Dataset(file, [Image(image, UNLABELLED) for image in listed])


def _with_loose(dataset: Dataset) -> Dataset:
    """Add the files beside class folders, which have no label yet; beside splits they are litter."""
    if not isinstance(dataset.root, Path) or not dataset.root.is_dir() or dataset.splits:
        return dataset
    known = {image.path for image in dataset.images}
    loose = [file for file in plain_files(dataset.root) if file not in known]
    images = dataset.images + [Image(file, UNLABELLED) for file in loose]
    kept = [line for line in dataset.warnings if not (loose and "outside class folders" in line)]
    return Dataset(dataset.root, images, kept)
