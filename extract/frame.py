"""Which part of a photograph the network sees: the resize rule and the view, undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import unknown
from .views import crop_box, is_mirrored

Size = tuple[int, int]  # (width, height), Pillow's order


@dataclass(frozen=True, slots=True)
class Frame:
    """The rectangle of the upright photograph that fills the network's input.

    Parameters
    ----------
    left, top, right, bottom : float
        In shares of the photograph's width and height: 0 and 1 are its edges. With grey bars
        the rectangle reaches beyond them.
    mirrored : bool
        Whether the network sees it mirrored.
    """

    left: float
    top: float
    right: float
    bottom: float
    mirrored: bool = False

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        return self.left, self.top, self.right, self.bottom

    @property
    def area(self) -> float:
        """How many times the photograph's own area it covers."""
        return (self.right - self.left) * (self.bottom - self.top)

    def inside(self, outer: Frame) -> Frame:
        """Return a rectangle of the part that ``outer`` shows, in shares of the whole."""
        width, height = outer.right - outer.left, outer.bottom - outer.top
        return Frame(
            outer.left + self.left * width,
            outer.top + self.top * height,
            outer.left + self.right * width,
            outer.top + self.bottom * height,
            mirrored=self.mirrored != outer.mirrored,
        )


def find_frame(view: str, photograph: Size, wanted: Size, resize: str, digest: bytes) -> Frame:
    """Return what a view shows of a photograph.

    Parameters
    ----------
    view : str
        See :func:`headstart.extract.views.make_views`.
    photograph : (width, height)
        Of the upright photograph, in pixels.
    wanted : (width, height)
        Of the network's input, in pixels.
    resize : str
        ``"crop"``, ``"squash"`` or ``"pad"``.
    digest : bytes
        SHA-256 of the file, which seeds its crops.

    Examples
    --------
    >>> find_frame("flip", (300, 200), (224, 224), "crop", b"")
    Frame(left=0.16666666666666666, top=0.0, right=0.8333333333333334, bottom=1.0, mirrored=True)
    >>> find_frame("original", (224, 112), (224, 224), "pad", b"")
    Frame(left=0.0, top=-0.5, right=1.0, bottom=1.5, mirrored=False)
    """
    if resize not in _RULES:
        raise unknown("resize rule", resize, list(_RULES))
    width, height = photograph
    box = (0, 0, width, height)
    if view not in ("original", "flip"):
        box = crop_box(view, photograph, digest)
    part = Frame(
        box[0] / width,
        box[1] / height,
        box[2] / width,
        box[3] / height,
        mirrored=is_mirrored(view, digest),
    )
    return _RULES[resize]((box[2] - box[0], box[3] - box[1]), wanted).inside(part)


def _cropped(part: Size, wanted: Size) -> Frame:
    """Return the middle that ``PIL.ImageOps.fit`` keeps."""
    width, height = part
    across = min(1.0, wanted[0] / wanted[1] * height / width)
    down = min(1.0, wanted[1] / wanted[0] * width / height)
    return Frame((1 - across) / 2, (1 - down) / 2, (1 + across) / 2, (1 + down) / 2)


def _padded(part: Size, wanted: Size) -> Frame:
    """Return the whole with the bars of ``PIL.ImageOps.pad``, which rounds to pixels."""
    scale = min(wanted[0] / part[0], wanted[1] / part[1])
    inner = [max(1, round(scale * length)) for length in part]
    left, top = (round((all_ - own) / 2) for all_, own in zip(wanted, inner, strict=True))
    return Frame(
        -left / inner[0],
        -top / inner[1],
        (wanted[0] - left) / inner[0],
        (wanted[1] - top) / inner[1],
    )


_RULES: dict[str, Callable[[Size, Size], Frame]] = {
    "squash": lambda part, wanted: Frame(0.0, 0.0, 1.0, 1.0),
    "crop": _cropped,
    "pad": _padded,
}
