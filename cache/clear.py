"""Remove features from a cache, and nothing else."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import CacheError, unknown
from .catalogue import spec_folders
from .segment import stale_temporaries

_OURS = re.compile(r"[0-9a-f]{32}\.h5(\.damaged)?")


@dataclass(frozen=True)
class Removal:
    """What goes from one spec's folder.

    Parameters
    ----------
    folder : Path
        The spec's.
    files : list of Path
        Segments, segments set aside, files of killed runs.
    bytes : int
        Their size.
    """

    folder: Path
    files: list[Path]
    bytes: int


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
    folders = {folder.name.rpartition("-")[2]: folder for folder in spec_folders(cache)}
    if spec_id is not None and spec_id not in folders:
        raise unknown("spec", spec_id, list(folders))
    plan = []
    for name, folder in folders.items():
        if spec_id in (None, name):
            files = sorted(p for p in folder.iterdir() if _OURS.fullmatch(p.name))
            files += stale_temporaries(folder)
            plan.append(Removal(folder, files, sum(path.stat().st_size for path in files)))
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
        with contextlib.suppress(OSError):  # other people's files, or a run that just began
            removal.folder.rmdir()
