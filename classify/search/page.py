"""A page of thumbnails: what was looked for, and what was found."""

from __future__ import annotations

from pathlib import Path

from ...text import below, shown
from ..pages.html import make_page, save_page
from ..pages.thumbnails import thumbnail
from .search import Search

PAGE = "search.html"


def write_search(search: Search, folder: Path) -> Path:
    """Write ``search.html``; return where.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    values = {
        "search": search,
        "dataset": shown(search.dataset.root.absolute().name),
        "like": [below(thing, search.dataset.root) for thing in search.like],
        "name": lambda path: below(path, search.dataset.root),
        "thumbnail": thumbnail,
    }
    return save_page(make_page("search/page.html.j2", values).text, folder / PAGE)
