"""An inspection as one page with thumbnails that opens offline."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ...errors import DataError, DecodeError
from ...extract.decode.decode import MAX_PIXELS, decode
from ...extract.images.addresses import Reference
from ...extract.images.read import read_image
from ...storage import replacing
from ...text import shown
from .inspect import Inspection, Seen

TEMPLATE = "page.html.j2"
PAGE = "inspect.html"
SIDE = 160  # pixels of a thumbnail
QUALITY = 75
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
    text = render(found, top)
    try:
        with replacing(page) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write the page to {folder}: {error.strerror}") from error
    return page


def render(found: Inspection, top: int) -> str:
    """Return the page; names from the dataset are escaped, thumbnails are inside it.

    Exact copies share one thumbnail, a group of near copies shows six at most.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("headstart", "classify/doctor"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"shown": shown, "name": found.name, "thumbnail": thumbnail}
    return environment.get_template(TEMPLATE).render(
        dataset=shown(found.root.absolute().name),
        found=found,
        classes=sorted(found.classes, key=lambda one: one.images)[:top],
        sections=_sections(found, top),
        side=SIDE,
    )


def thumbnail(path: Reference) -> str | None:
    """Return an image as a data URI of 160 x 160 pixels, about 6 kB; None if it cannot be read.

    It is decoded as for the backbone (upright, the first frame, on white), but whole, with
    grey bars.
    """
    try:
        _, data = read_image(path, MAX_PIXELS)
        pixels = decode(data, (SIDE, SIDE), "pad")
    except DecodeError:  # it was readable when its features were extracted
        return None
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


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
