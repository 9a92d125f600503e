"""Explanations to files: one page that needs nothing else, and a PNG for each image."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...extract.images.addresses import Reference, file_name
from ...storage import replacing
from ...text import shown
from ..pages.thumbnails import thumbnails
from .explanation import Explanation, Explanations
from .picture import jpeg_uri, legend, open_picture, overlay, png_bytes, with_legend

TEMPLATE = "page.html.j2"
PAGE = "index.html"
TOP = 5  # classes with their probabilities
BAR = 240  # pixels of the page's legend

METHODS = {
    "cam": "Class-activation map: the class's score is the sum of this map and a constant "
    "(Zhou et al. 2016).",
    "grad-cam": "Grad-CAM: the last maps, weighted by how the class's score answers to them "
    "(Selvaraju et al. 2017).",
    "occlusion": "Occlusion: what the class's score loses when a grey patch hides the place "
    "(Zeiler & Fergus 2014).",
}


@dataclass(frozen=True)
class Written:
    """The files that were written.

    Parameters
    ----------
    page : Path
        ``index.html``.
    pictures : list of Path
        One for each image, in order.
    """

    page: Path
    pictures: list[Path]

    def to_dict(self) -> dict[str, Any]:
        """Return what the contract says of them."""
        return {"page": shown(self.page), "pictures": [shown(path) for path in self.pictures]}


def write_page(told: Explanations, model: Path, folder: Path, max_pixels: int) -> Written:
    """Write ``index.html`` and a PNG with the map for each image.

    Parameters
    ----------
    told : Explanations
        From :func:`headstart.classify.explain.explanation.explain`.
    model : Path
        Its file, for the heading.
    folder : Path
        Made when missing.
    max_pixels : int
        Refuse larger images.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    cards, pictures = [], {}
    for number, one in enumerate(told.images, 1):
        picture = open_picture(one, max_pixels)
        drawn = overlay(one, picture)
        pictures[_picture_name(number, one.path)] = png_bytes(with_legend(drawn))
        cards.append(_card(one, jpeg_uri(picture), jpeg_uri(drawn), picture.size))
    page = render(told, model, cards)
    files = {**pictures, PAGE: page.encode("utf-8", "backslashreplace")}
    try:
        for name, content in files.items():
            with replacing(folder / name) as temporary:
                temporary.write_bytes(content)
    except OSError as error:
        raise DataError(f"cannot write to {folder}: {error.strerror}") from error
    return Written(folder / PAGE, [folder / name for name in pictures])


def render(told: Explanations, model: Path, cards: list[dict[str, Any]]) -> str:
    """Return the page; names are text, and its policy forbids it to load anything."""
    import jinja2
    import markupsafe

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("headstart", "classify/explain"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["shown"] = shown
    css = (
        resources.files("headstart.classify.pages").joinpath("page.css").read_text(encoding="utf-8")
        + _OWN_CSS
    )
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return environment.get_template(TEMPLATE).render(
        model=shown(model.name),
        method=METHODS[told.choice.method],
        why=told.choice.why,
        cards=cards,
        legend=jpeg_uri(legend(BAR)),
        failures=told.failures,
        remarks=told.remarks,
        css=markupsafe.Markup(css),  # noqa: S704 (our own files)
        css_hash=f"sha256-{digest}",
    )


_OWN_CSS = """
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); gap: 1rem; max-width: 62rem; }
.sides > * { min-width: 0; }
.sides figure { margin: 0; }
.classes tbody th { white-space: normal; overflow-wrap: anywhere; }
.sides img { display: block; width: auto; max-width: 100%; height: auto; max-height: 32rem; border-radius: .4rem; }
figcaption { color: var(--soft); font-size: .88rem; margin-top: .3rem; }
.legend { display: flex; align-items: center; gap: .4rem; }
.legend img { width: 8rem; height: .75rem; border-radius: 0; }
.photos img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: .4rem; background: var(--card); margin-bottom: .3rem; }
.other { font-weight: 600; }
"""


def _picture_name(number: int, path: Reference) -> str:
    """Return a file name that any system takes, the same in each run.

    Examples
    --------
    >>> _picture_name(2, Path("holiday/a monkey?.jpg"))
    '02-a-monkey.png'
    """
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", shown(Path(file_name(path)).stem)).strip("-.")[:60]
    return f"{number:02d}-{stem}.png" if stem else f"{number:02d}.png"


def _card(one: Explanation, original: str, drawn: str, size: tuple[int, int]) -> dict[str, Any]:
    """Return what the page shows of one image."""
    pictures = thumbnails([near.path for near in one.neighbours], range(len(one.neighbours)))
    return {
        "path": one.path,
        "label": one.label,
        "probability": one.top[0][1],
        "explained": one.explained,
        "top": [*one.top[:TOP], *(pair for pair in one.top[TOP:] if pair[0] == one.explained)],
        "original": original,
        "overlay": drawn,
        "width": size[0],
        "height": size[1],
        "neighbours": [
            {
                "path": near.path,
                "label": near.label,
                "similarity": near.similarity,
                "agrees": near.label == one.label,
                "picture": pictures.get(at),
            }
            for at, near in enumerate(one.neighbours)
        ],
    }
