"""An inspection as one page with thumbnails that opens offline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...text import shown
from ..pages.html import make_page, save_page, source
from ..pages.thumbnails import thumbnail
from .findings import Copies, Inspection, Seen

PAGE = "inspect.html"
PICTURES = 6  # of one group; the others are named


@dataclass(frozen=True)
class Card:
    """One finding: what it is, pictures side by side, files that are named alone."""

    what: str
    about: str
    pictures: list[Seen]
    named: list[Seen]


@dataclass(frozen=True)
class Section:
    """One kind of finding: the first cards of ``total``."""

    title: str
    about: str
    total: int
    cards: list[Card]


def write_page(inspection: Inspection, folder: Path, top: int) -> Path:
    """Write ``inspect.html`` with the first findings of each kind.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    return save_page(page_text(inspection, top), folder / PAGE)


def page_text(inspection: Inspection, top: int) -> str:
    """Return the page; names from the dataset are escaped, thumbnails are inside it.

    Exact copies share one thumbnail, a group of near copies shows six at most.
    """
    values = {
        "dataset": shown(inspection.root.absolute().name),
        "inspection": inspection,
        "classes": inspection.smallest(top),
        "sections": _sections(inspection, top),
        "thumbnail": thumbnail,
    }
    return make_page("doctor/page.html.j2", values, style=source("doctor/page.css")).text


def _sections(inspection: Inspection, top: int) -> list[Section]:
    errors, outliers = inspection.label_errors, inspection.outliers
    return [
        Section(
            "Exact duplicates",
            "Files of the same bytes. Across splits, training leaves them out; with different "
            "labels, at least one is wrong.",
            len(inspection.duplicates),
            [
                _copies_card(copies, f"{len(copies.images)} files", 1)
                for copies in inspection.duplicates[:top]
            ],
        ),
        Section(
            "Near duplicates",
            "The same picture re-saved, resized, cropped or mirrored, or the next of a burst. "
            "Across splits, they flatter the figures.",
            len(inspection.near_duplicates),
            [
                _copies_card(copies, f"similarity {copies.score:.3f}", PICTURES)
                for copies in inspection.near_duplicates[:top]
            ],
        ),
        Section(
            "Label errors",
            "Labelled otherwise by a head that had not seen them, in cross-validation over all "
            "images.",
            len(errors),
            [
                Card(
                    error.what,
                    f"looks like {shown(error.suggested)} ({error.suggested_probability:.3f}) "
                    f"rather than {shown(error.image.label)} ({error.score:.3f})",
                    [error.image],
                    [],
                )
                for error in errors[:top]
            ],
        ),
        Section(
            "Outliers",
            "Far from their ten nearest images; the nearest is beside them.",
            len(outliers),
            [
                Card(
                    "outlier",
                    f"distance {outlier.score:.3f}",
                    [outlier.image, outlier.nearest],
                    [],
                )
                for outlier in outliers[:top]
            ],
        ),
    ]


def _copies_card(copies: Copies, about: str, pictures: int) -> Card:
    return Card(copies.what, about, copies.images[:pictures], copies.images[pictures:])
