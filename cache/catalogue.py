"""What a cache holds: the feature specs that its folders' segments name."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..errors import CacheError
from .spec import FeatureSpec
from .store import DamagedSegmentError, open_segment, segment_paths


def specs(cache: Path) -> list[tuple[FeatureSpec, Path]]:
    """Return each feature spec in a cache with its folder, sorted by folder.

    Nothing is changed on the disk. A segment that cannot be read, or that names
    another spec than its folder does, is passed over; a folder without a readable
    segment (such as the kept networks') is not listed.

    Parameters
    ----------
    cache : Path
        The cache's root folder; one that does not exist holds nothing.

    Raises
    ------
    CacheError
        If the folder cannot be listed, or a newer headstart wrote a segment.

    Examples
    --------
    >>> specs(Path("no such cache"))
    []
    """
    try:
        folders = sorted(Path(entry.path) for entry in os.scandir(cache) if entry.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CacheError(
            f"cannot list the cache {cache} ({error.strerror}); mend its permissions or give "
            "another place with --cache DIR"
        ) from error
    found = ((_folder_spec(folder), folder) for folder in folders)
    return [(spec, folder) for spec, folder in found if spec is not None]


def _folder_spec(folder: Path) -> FeatureSpec | None:
    """Return the spec that the folder's first readable segment names."""
    for path in segment_paths(folder):
        try:
            with open_segment(path) as segment:
                text = np.bytes_(segment.attrs["spec"]).decode("ascii")
        except (FileNotFoundError, DamagedSegmentError):
            continue  # compacted away meanwhile, or the store's to set aside
        except (KeyError, OSError, RuntimeError, TypeError, ValueError):
            continue  # damaged where the attribute lies
        try:
            spec = FeatureSpec.from_json(text)
        except TypeError as error:
            raise CacheError(
                f"segment {path} names a feature spec that this headstart does not know "
                f"({error}); upgrade headstart or give another place with --cache DIR"
            ) from error
        except (KeyError, ValueError):
            continue
        if spec.folder == folder.name:
            return spec
    return None
