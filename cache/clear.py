"""Remove features from a cache, and nothing else."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import CacheError, unknown
from .catalogue import local_folders
from .mirror import remote_of
from .remote import LISTED
from .spec_folder import is_segment_name, stale_temporaries

_OURS = re.compile(r"[0-9a-f]{32}\.(h5(\.damaged)?|index)")


@dataclass(frozen=True)
class Removal:
    """What goes from one spec's folder."""

    folder: Path  # the spec's
    # here or behind the cache's URL: segments, those set aside, their index, files of killed runs
    files: list[Path]
    bytes: int  # their size


def plan_removal(cache: Path, spec_id: str | None = None) -> list[Removal]:
    """List what :func:`remove` would remove.

    Parameters
    ----------
    cache : Path
        The cache's root.
    spec_id : str, optional
        Of one spec, 12 hexadecimal digits; all when None.

    Raises
    ------
    OptionError
        If no spec has this id.
    """
    remote = remote_of(cache)
    names = {p.name for p in local_folders(cache)} | set(remote.folders() if remote else ())
    folders = {name.rpartition("-")[2]: cache / name for name in sorted(names)}
    if spec_id is not None and spec_id not in folders:
        raise unknown("spec", spec_id, list(folders))
    plan = []
    for name, folder in folders.items():
        if spec_id in (None, name):
            sizes = {folder / n: size for n, size in remote.sizes(folder).items()} if remote else {}
            here = list(folder.iterdir()) if folder.exists() else []
            ours = [path for path in here if _OURS.fullmatch(path.name)]
            sizes |= {path: path.stat().st_size for path in [*ours, *stale_temporaries(folder)]}
            plan.append(Removal(folder, sorted(sizes), sum(sizes.values())))
    return plan


def remove(plan: list[Removal]) -> None:
    """Remove what was planned, and folders that are empty then.

    Raises
    ------
    CacheError
        If a file cannot be removed.
    """
    for removal in plan:
        try:
            for path in removal.files:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise CacheError(
                f"cannot remove {error.filename} ({error.strerror}): mend its permissions"
            ) from error
        remote = remote_of(removal.folder.parent)
        if remote is not None:
            segments = [path.name for path in removal.files if is_segment_name(path.name)]
            remote.remove(removal.folder, segments)
            (removal.folder / LISTED).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # other people's files, or a run that just began
            removal.folder.rmdir()
