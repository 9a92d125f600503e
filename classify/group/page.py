"""Contact sheets: some photographs of each group, the most typical and the least."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ...extract.images.addresses import Reference
from ...text import below, shown
from ..pages.html import make_page, save_page
from ..pages.thumbnails import thumbnail
from .clusters import OUTLIER
from .group import OUTLIERS, Grouping

PAGE = "group.html"
TYPICAL, EDGE = 12, 6  # of a group


@dataclass(frozen=True)
class Sheet:
    """One group: its name and size, some photographs with how many copies each, labels in words."""

    name: str
    images: int
    photographs: list[tuple[Reference, int]]
    labels: str


def write_sheets(grouping: Grouping, folder: Path) -> Path:
    """Write ``group.html``; return where.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    root = grouping.collection.root
    values = {
        "dataset": shown(root.absolute().name),
        "images": len(grouping.collection.images),
        "sheets": sheets(grouping),
        "name": lambda path: below(path, root),
        "thumbnail": thumbnail,
    }
    return save_page(make_page("group/page.html.j2", values).text, folder / PAGE)


def sheets(grouping: Grouping) -> list[Sheet]:
    """Return a sheet for each group that has photographs, the outliers last."""
    images = grouping.collection.images
    made = []
    for number, name in [*enumerate(grouping.names), (OUTLIER, OUTLIERS)]:
        folded = grouping.folded(number)
        shown_ones = folded[:TYPICAL] + folded[max(TYPICAL, len(folded) - EDGE) :]
        members = grouping.members(number)
        labels = Counter(images[row].label for row in members if images[row].label)
        words = ", ".join(f"{shown(label)} {count:,}" for label, count in labels.most_common(4))
        photographs = [(images[row].path, copies) for row, copies in shown_ones]
        if members:
            made.append(Sheet(name, len(members), photographs, words))
    return made
