"""A folder behind a URL, one sub-folder a class, as a table of images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from ...errors import DataError
from ...storage import attempt, file_system, why
from .folder import is_litter
from .images import SPLITS, Dataset, Image
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
        If it holds no images.
    """
    warnings: list[str] = []
    placed = [(parts_below(file, root), file) for file in files]
    kept = [(parts, file) for parts, file in placed if not any(map(is_litter, parts))]
    split_folders = {p[0] for p, _ in kept if len(p) > 2 and p[0].casefold() in SPLITS}
    has_splits = any(SPLITS[name.casefold()] == "train" for name in split_folders)
    images: list[Image] = []
    loose: dict[str, list[str]] = defaultdict(list)
    for parts, file in kept:
        split = SPLITS.get(parts[0].casefold()) if has_splits else None
        above = parts[1:] if split else parts
        if has_splits and split is None:
            loose[f"{parts[0]} is no split folder"].append(parts[-1])
        elif len(above) < 2:
            loose["outside class folders"].append(parts[-1])
        else:
            images.append(Image(file, above[0], split))
    if not images:
        raise DataError(
            f"no images in {root}: expected one sub-folder a class with photographs in it, or "
            "train/ and validation/ (or test/) that hold those, or shards"
        )
    warnings += [
        f"{len(names)} files in {root} ({where}; {min(names)}, …): left out"
        for where, names in loose.items()
    ]
    return Dataset(root, images, warnings)


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
        try:
            listed = attempt(lambda s=system, t=top: s.ls(t, detail=True))  # type: ignore[misc]
        except FileNotFoundError:
            listed = []
        except Exception as error:  # every file system has its own
            raise DataError(f"cannot list {folder}: {why(error)}") from error
        found = {info["name"].rpartition("/")[2]: info for info in listed}
        for file in some:
            info = found.get(file.url.rpartition("/")[2])
            if info is None:
                missing.add(file)
            else:
                signed[file] = replace(file, signature=signature_of(info))
    return signed, missing
