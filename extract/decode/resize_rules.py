"""How a photograph comes to the network's input size: the one table of resize rules.

A row is geometry alone. Decoding, frames, exported networks and model cards take theirs from it,
so that a new rule is one more row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from PIL import Image

from ...errors import unknown

Size = tuple[int, int]  # (width, height), Pillow's order
Box = tuple[float, float, float, float]  # (left, top, right, bottom)

GREY = 127  # of bars
# Bilinear in Pillow is a triangle filter as wide as the reduction asks for: antialiased.
FILTER = Image.Resampling.BILINEAR
FILTERS = {member.name.lower(): member for member in Image.Resampling}


@dataclass(frozen=True, slots=True)
class ResizeRule:
    """One way to bring any image to the network's input size.

    Parameters
    ----------
    fills : str
        Which side of the image fills the input: ``"each"``, both, whatever becomes of its
        proportions; ``"shorter"``, and the longer is cut; ``"longer"``, and bars lie beside the
        shorter.
    sees : str
        What the network sees of an image, for model cards; ``{size}`` stands for its input.
    keeps : Fraction
        The middle part of that side which fills the input, above 0, at most 1.
    filter : PIL.Image.Resampling
        How pixels are made of pixels.
    """

    fills: Literal["each", "shorter", "longer"]
    sees: str
    keeps: Fraction = Fraction(1)
    filter: Image.Resampling = FILTER


RESIZE_RULES = {
    "squash": ResizeRule("each", "each image squashed to {size} pixels: its proportions are lost"),
    "crop": ResizeRule(
        "shorter",
        "the middle square of each image, at {size} pixels: what lies outside it is not seen",
    ),
    "pad": ResizeRule(
        "longer", "each image with grey bars, at {size} pixels: of a narrow one little is left"
    ),
}


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an image's pixels come to lie.

    Parameters
    ----------
    box : (left, top, right, bottom)
        The part of the image that is taken, in its pixels.
    inner : (width, height)
        The pixels that it makes; none of an image so narrow that they come to less than half a one.
    offset : (left, top)
        Where they lie in the input; bars are around them.
    """

    box: Box
    inner: Size
    offset: tuple[int, int]


# A rule as a network in a file asks for it: its share of the side and its filter, where not ours.
_VARIANT = re.compile(rf"({'|'.join(RESIZE_RULES)})(?:-(0\.\d+))?(?:-({'|'.join(FILTERS)}))?")


def rule_name(fills: str, keeps: float = 1.0, interpolation: str = "bilinear") -> str:
    """Return the name of a rule, which :func:`find_rule` reads.

    Examples
    --------
    >>> rule_name("shorter", 0.875, "bicubic"), rule_name("each")
    ('crop-0.875-bicubic', 'squash')
    """
    name = next(name for name, rule in RESIZE_RULES.items() if rule.fills == fills)
    share = "" if keeps == 1 else f"-{keeps:.9f}".rstrip("0")
    return name + share + ("" if FILTERS[interpolation] == FILTER else f"-{interpolation}")


def find_rule(name: str) -> ResizeRule:
    """Return the rule of a name: a row of the table, or one that :func:`rule_name` made.

    Raises
    ------
    OptionError
        If there is none; the message lists the names.

    Examples
    --------
    >>> rule = find_rule("crop-0.875-bicubic")
    >>> rule.fills, rule.keeps, rule.filter.name
    ('shorter', Fraction(7, 8), 'BICUBIC')
    """
    if name in RESIZE_RULES:
        return RESIZE_RULES[name]
    variant = _VARIANT.fullmatch(name)
    if variant is None:
        raise unknown("resize rule", name, list(RESIZE_RULES))
    rule, share, interpolation = variant.groups()
    keeps = Fraction(share or 1)
    sees = RESIZE_RULES[rule].sees + (f"; of its sides the middle {float(keeps):.1%}" * bool(share))
    return replace(
        RESIZE_RULES[rule], keeps=keeps, sees=sees, filter=FILTERS[interpolation or "bilinear"]
    )


def place(image: Size, wanted: Size, rule: ResizeRule) -> Placement:
    """Return where an image of a size comes to lie in an input of a size.

    Examples
    --------
    >>> place((400, 300), (224, 224), RESIZE_RULES["crop"]).box
    (50.0, 0.0, 350.0, 300.0)
    >>> placement = place((448, 224), (224, 224), RESIZE_RULES["pad"])
    >>> placement.inner, placement.offset
    ((224, 112), (0, 56))
    """
    (left, right), width, x = _along(image, wanted, rule)
    (top, bottom), height, y = _along(image[::-1], wanted[::-1], rule)
    return Placement((left, top, right, bottom), (width, height), (x, y))


def _along(image: Size, wanted: Size, rule: ResizeRule) -> tuple[tuple[float, float], int, int]:
    """Return, along the first axis: the ends of the part taken, its pixels, where they begin."""
    length, decided = image[0], image[1] * wanted[0] / wanted[1]  # by the other axis
    filling = {"each": length, "shorter": min(length, decided), "longer": max(length, decided)}
    window = filling[rule.fills] * float(rule.keeps)
    if window <= length:
        start = (length - window) / 2
        return (start, start + window), wanted[0], 0
    # The order of ImageOps.pad's operations: it decides where halves go.
    inner = round(length / image[1] * wanted[1] / float(rule.keeps))
    return (0.0, float(length)), inner, round((wanted[0] - inner) / 2)


def resized(image: Image.Image, wanted: Size, rule: ResizeRule) -> Image.Image:
    """Return an RGB image at the input's size, by Pillow."""
    placement = place(image.size, wanted, rule)
    if placement.inner == wanted:
        return image.resize(wanted, rule.filter, box=placement.box)
    padded = Image.new("RGB", wanted, (GREY, GREY, GREY))
    if 0 not in placement.inner:
        padded.paste(
            image.resize(placement.inner, rule.filter, box=placement.box), placement.offset
        )
    return padded
