"""Where the cache lies."""

from __future__ import annotations

import os
from pathlib import Path

from ..storage import is_url, user_folder, without_file


def default_cache() -> Path:
    """Return ``HEADSTART_CACHE``, else the platform's user cache folder."""
    named = os.environ.get("HEADSTART_CACHE")
    return cache_folder(named) if named else user_folder() / "features"


def cache_folder(place: str | os.PathLike[str]) -> Path:
    """Return the folder of a cache: of one behind a URL, this machine's mirror.

    Parameters
    ----------
    place : str or path
        A folder, or a URL of any protocol that fsspec knows.

    Raises
    ------
    CacheError
        If the mirror cannot be made.
    OptionError
        If the URL's protocol is unknown or needs a package that is missing.

    Examples
    --------
    >>> cache_folder("file:///data/features")
    PosixPath('/data/features')
    """
    text = without_file(os.fspath(place))
    if not is_url(text):
        return Path(text).expanduser()
    from .mirror import mirror_folder

    return mirror_folder(text)
