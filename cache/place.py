"""Where the cache lies."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def default_cache() -> Path:
    """Return ``HEADSTART_CACHE``, else the platform's user cache folder."""
    named = os.environ.get("HEADSTART_CACHE")
    return Path(named) if named else user_folder() / "features"


def stat_index_path() -> Path:
    """Return this machine's stat index: always local, wherever the features are."""
    return user_folder() / "stat-index.sqlite"


def user_folder() -> Path:
    """Return the platform's user cache folder for headstart."""
    return platformdirs.user_cache_path("headstart")
