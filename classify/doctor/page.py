"""An inspection as one page with thumbnails that opens offline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError
from ...storage import replacing
from ...text import shown
from ..pages.html import make_page, source
from ..pages.thumbnails import thumbnail
from .inspect import Inspection, Seen

PAGE = "inspect.html"
PICTURES = 6  # of one group; the others are named


@dataclass(frozen=True)
class Card:
    """One finding: what it is, pictures side by side, files that are named alone."""

    what: str
    told: str
    pictures: list[Seen]
    named: list[Seen]


@dataclass(frozen=True)
class Section:
    """One kind of finding: the first cards of ``total``."""

    title: str
    about: str
    total: int
    cards: list[Card]


def write_page(found: Inspection, folder: Path, top: int) -> Path:
    """Write ``inspect.html`` with the first findings of each kind.

    Parameters
    ----------
    found : Inspection
        From :func:`headstart.classify.doctor.inspect.inspect`.
    folder : Path
        Made when missing.
    top : int
        Findings of a kind.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    page = folder / PAGE
    text = page_text(found, top)
    try:
        with replacing(page) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write the page to {folder}: {error.strerror}") from error
    return page


def page_text(found: Inspection, top: int) -> str:
    """Return the page; names from the dataset are escaped, thumbnails are inside it.

    Exact copies share one thumbnail, a group of near copies shows six at most.
    """
    values = {
        "dataset": shown(found.root.absolute().name),
        "found": found,
        "classes": sorted(found.classes, key=lambda count: count.images)[:top],
        "sections": _sections(found, top),
        "name": found.name,
        "thumbnail": thumbnail,
    }
    return make_page("doctor/page.html.j2", values, style=source("doctor/page.css")).text


def _sections(found: Inspection, top: int) -> list[Section]:
    return [
        Section(
            "Exact duplicates",
            "Files of the same bytes. Across splits, training leaves them out; with different "
            "labels, at least one is wrong.",
            len(found.duplicates),
            [
                Card(one.what, f"{len(one.images)} files", one.images[:1], one.images[1:])
                for one in found.duplicates[:top]
            ],
        ),
        Section(
            "Near duplicates",
            "The same picture re-saved, resized, cropped or mirrored, or the next of a burst. "
            "Across splits, they flatter the figures.",
            len(found.near_duplicates),
            [
                Card(
                    one.what,
                    f"similarity {one.score:.3f}",
                    one.images[:PICTURES],
                    one.images[PICTURES:],
                )
                for one in found.near_duplicates[:top]
            ],
        ),
        Section(
            "Label errors",
            "Labelled otherwise by a head that had not seen them, in cross-validation over all "
            "images.",
            len(found.label_errors),
            [
                Card(
                    one.what,
                    f"looks like {shown(one.suggested)} ({one.suggested_probability:.3f}) rather "
                    f"than {shown(one.image.label)} ({one.score:.3f})",
                    [one.image],
                    [],
                )
                for one in found.label_errors[:top]
            ],
        ),
        Section(
            "Outliers",
            "Far from their ten nearest images; the nearest is beside them.",
            len(found.outliers),
            [
                Card("outlier", f"distance {one.score:.3f}", [one.image, one.nearest], [])
                for one in found.outliers[:top]
            ],
        ),
    ]
