"""Where this machine keeps what is only its own."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def stat_index_path() -> Path:
    """Return this machine's stat index: always local, wherever the features are."""
    return user_folder() / "stat-index.sqlite"


def user_folder() -> Path:
    """Return the platform's user cache folder for headstart."""
    return platformdirs.user_cache_path("headstart")
