"""Matplotlib figures as SVG that belongs to the page: its colours, its font, its language."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

INK = "#010203"  # becomes the page's text colour, light or dark
SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"

STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a class called $x$ is no formula
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.15,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK
    ),
    "grid.color": INK,
}


@contextlib.contextmanager
def drawing(name: str) -> Iterator[None]:
    """Draw in the report's style; ``name`` makes the ids the same each time and its own."""
    import matplotlib as mpl

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # that it builds its font cache
    with mpl.rc_context({**STYLE, "svg.hashsalt": f"headstart {name}"}), warnings.catch_warnings():
        # A script that Matplotlib's own font lacks is drawn by the reader's browser.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def to_svg(figure: Any, name: str, description: str) -> str:
    """Return the figure as an SVG element with a text alternative.

    Styles become attributes, so that a page that allows no inline style shows
    them; ids get ``name`` in front, so that several figures share a page.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn within :func:`drawing`.
    name : str
        Letters and hyphens.
    description : str
        What the figure shows, for those who do not see it.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    root = ET.fromstring(buffer.getvalue())  # noqa: S314 (our own, a moment old)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        _restyle(element)
        _rename(element, name)
    width, height = (root.attrib.pop(side).removesuffix("pt") for side in ("width", "height"))
    root.set("viewBox", f"0 0 {width} {height}")
    root.set("role", "img")
    root.set("aria-label", description)
    root.set("class", f"plot {name}")
    return ET.tostring(root, encoding="unicode")


def _restyle(element: ET.Element) -> None:
    for rule in element.attrib.pop("style", "").split(";"):
        if ":" not in rule:
            continue
        key, value = (part.strip() for part in rule.split(":", 1))
        if key != "font-family":  # the page's
            element.set(key, "currentColor" if value == INK else value)


def _rename(element: ET.Element, name: str) -> None:
    for key in ("id", "clip-path", f"{{{XLINK}}}href", "href"):
        value = element.get(key)
        if value is None:
            continue
        for mark in ("url(#", "#", ""):
            if value.startswith(mark):
                element.set(key, f"{mark}{name}-{value[len(mark) :]}")
                break
