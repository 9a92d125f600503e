"""Explanations to files: one page that needs nothing else, and a PNG for each image."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...extract.images.addresses import Reference, file_name
from ...storage import replacing
from ...text import shown
from ..pages.html import make_page, source
from ..pages.thumbnails import jpeg_uri, open_upright, thumbnails
from .explanation import Explanation, Explanations, Written
from .picture import SIDE, legend, overlay, png_bytes, with_legend

PAGE = "index.html"
TOP = 5  # classes with their probabilities
BAR = 240  # pixels of the page's legend
QUALITY = 82

METHODS = {
    "cam": "Class-activation map: the class's score is the sum of this map and a constant "
    "(Zhou et al. 2016).",
    "grad-cam": "Grad-CAM: the last maps, weighted by how the class's score answers to them "
    "(Selvaraju et al. 2017).",
    "occlusion": "Occlusion: what the class's score loses when a grey patch hides the place "
    "(Zeiler & Fergus 2014).",
}


def write_page(explanations: Explanations, model: Path, folder: Path, max_pixels: int) -> Written:
    """Write ``index.html`` and a PNG with the map for each image.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    cards, pictures = [], {}
    for number, explanation in enumerate(explanations.images, 1):
        picture = open_upright(explanation.path, SIDE, max_pixels)
        drawn = overlay(explanation, picture)
        pictures[_picture_name(number, explanation.path)] = png_bytes(with_legend(drawn))
        cards.append(
            _card(explanation, jpeg_uri(picture, QUALITY), jpeg_uri(drawn, QUALITY), picture.size)
        )
    page = page_text(explanations, model, cards)
    files = {**pictures, PAGE: page.encode()}
    try:
        for name, content in files.items():
            with replacing(folder / name) as temporary:
                temporary.write_bytes(content)
    except OSError as error:
        raise DataError(f"cannot write to {folder}: {error.strerror}") from error
    return Written(folder / PAGE, [folder / name for name in pictures])


def page_text(explanations: Explanations, model: Path, cards: list[dict[str, Any]]) -> str:
    """Return the page; names are text, and its policy forbids it to load anything."""
    values = {
        "model": shown(model.name),
        "method": METHODS[explanations.choice.method],
        "why": explanations.choice.why,
        "cards": cards,
        "legend": jpeg_uri(legend(BAR), QUALITY),
        "failures": explanations.failures,
        "remarks": explanations.remarks,
    }
    return make_page("explain/page.html.j2", values, style=source("explain/page.css")).text


def _picture_name(number: int, path: Reference) -> str:
    """Return a file name that any system takes, the same in each run.

    Examples
    --------
    >>> _picture_name(2, Path("holiday/a monkey?.jpg"))
    '02-a-monkey.png'
    """
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", shown(Path(file_name(path)).stem)).strip("-.")[:60]
    return f"{number:02d}-{stem}.png" if stem else f"{number:02d}.png"


def _card(
    explanation: Explanation, original: str, drawn: str, size: tuple[int, int]
) -> dict[str, Any]:
    """Return what the page shows of one image."""
    pictures = thumbnails(
        [near.path for near in explanation.neighbours], range(len(explanation.neighbours))
    )
    return {
        "path": explanation.path,
        "label": explanation.label,
        "probability": explanation.top[0][1],
        "explained": explanation.explained,
        "top": [
            *explanation.top[:TOP],
            *(pair for pair in explanation.top[TOP:] if pair[0] == explanation.explained),
        ],
        "original": original,
        "overlay": drawn,
        "width": size[0],
        "height": size[1],
        "neighbours": [
            {
                "path": near.path,
                "label": near.label,
                "similarity": near.similarity,
                "agrees": near.label == explanation.label,
                "picture": pictures.get(position),
            }
            for position, near in enumerate(explanation.neighbours)
        ],
    }
