"""A folder behind a URL, one sub-folder a class, as a table of images."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from ...errors import DataError
from ...storage import attempt, file_system, telling
from .images import Dataset, Image
from .layout import EXPECTED, lay_out
from .remote import File, Remote, signature_of

FEW = 8  # files of one folder that are looked up one by one


def parts_below(file: File, root: Remote) -> list[str]:
    """Return the names on the way from the root to a file."""
    _, top = file_system(root.url)
    _, path = file_system(str(file))
    return path.removeprefix(top.rstrip("/")).strip("/").split("/")


def read_objects(root: Remote, files: Sequence[File]) -> Dataset:
    """Lay a listing out as the same folder on a disk would be.

    Parameters
    ----------
    root : Remote
        The folder.
    files : sequence of Remote
        All that is below it.

    Raises
    ------
    DataError
        If it holds no images, or can be read in two ways.
    """
    parts = [parts_below(file, root) for file in files]
    layout = lay_out(parts, root.url.rstrip("/"))
    images = [
        Image(file, place.label, place.split)
        for file, names in zip(files, parts, strict=True)
        if (place := layout.place(names)) is not None
    ]
    if not images:
        raise DataError(f"no images in {root}: {EXPECTED}, or shards")
    return Dataset(root, images, layout.warnings)


def sign(files: Sequence[Remote]) -> tuple[dict[Remote, Remote], set[Remote]]:
    """Look many objects up by listing their folders.

    Parameters
    ----------
    files : sequence of Remote
        As a manifest names them.

    Returns
    -------
    signed : dict of Remote to Remote
        With their signatures; those that a listing would not pay for are not there.
    missing : set of Remote
        What a listing did not show.

    Raises
    ------
    DataError
        If a folder cannot be listed.
    """
    folders: dict[str, list[Remote]] = defaultdict(list)
    for file in files:
        folders[file.url.rpartition("/")[0]].append(file)
    signed: dict[Remote, Remote] = {}
    missing: set[Remote] = set()
    for folder, some in folders.items():
        # HTTP has no listings.
        if len(some) < FEW or folder.startswith(("http://", "https://")):
            continue
        system, top = file_system(folder)
        listed = []
        with telling(DataError, f"cannot list {folder}"), contextlib.suppress(FileNotFoundError):
            listed = attempt(lambda s=system, t=top: s.ls(t, detail=True))  # type: ignore[misc]
        by_name = {info["name"].rpartition("/")[2]: info for info in listed}
        for file in some:
            info = by_name.get(file.url.rpartition("/")[2])
            if info is None:
                missing.add(file)
            else:
                signed[file] = replace(file, signature=signature_of(info))
    return signed, missing
