"""A cache behind a URL as this machine mirrors it: a folder that remembers what it mirrors."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..errors import CacheError
from ..storage import file_system, replacing, user_folder
from .remote import RemoteCache

MARKER = "remote-cache"  # in the mirror's root: the URL


def mirror_folder(url: str) -> Path:
    """Return this machine's mirror of a cache behind a URL; made when missing.

    Raises
    ------
    CacheError
        If it cannot be made.
    OptionError
        If the URL's file system is unknown or needs a package that is missing.
    """
    url = url.rstrip("/")
    file_system(url)
    mirror = user_folder() / "mirrors" / hashlib.sha256(url.encode()).hexdigest()[:16]
    try:
        mirror.mkdir(parents=True, exist_ok=True)
        if not (mirror / MARKER).exists():
            with replacing(mirror / MARKER) as temporary:
                temporary.write_text(url, "utf-8")
    except OSError as error:
        raise CacheError(f"cannot make the mirror {mirror} of {url}: {error.strerror}") from error
    return mirror


def remote_of(cache: Path) -> RemoteCache | None:
    """Return what a cache mirrors; None for one that is this machine's own."""
    try:
        return RemoteCache((cache / MARKER).read_text("utf-8"))
    except OSError:
        return None


def place_of(folder: Path) -> str:
    """Return the address of a cache, or of a folder in it, as the user knows it."""
    for above in (folder, folder.parent):
        remote = remote_of(above)
        if remote is not None:
            return "/".join([remote.url, *folder.relative_to(above).parts])
    return str(folder)
