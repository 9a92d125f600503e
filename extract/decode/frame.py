"""Which part of a photograph the network sees: the resize rule and the view, undone."""

from __future__ import annotations

from dataclasses import dataclass

from .resize_rules import Box, Placement, Size, find_rule, place
from .views import crop_box, is_mirrored


@dataclass(frozen=True, slots=True)
class Frame:
    """The rectangle of the upright photograph that fills the network's input."""

    # in shares of the photograph's width and height: 0 and 1 are its edges. With grey bars the
    # rectangle reaches beyond what is shown.
    left: float
    top: float
    right: float
    bottom: float
    mirrored: bool = False  # whether the network sees it mirrored
    # the part of the photograph that the view takes, in the same shares; bars lie outside
    part: Box = (0.0, 0.0, 1.0, 1.0)

    @property
    def shown(self) -> Box:
        """Left, top, right and bottom of what is really shown, bars left out."""
        return (
            max(self.left, self.part[0]),
            max(self.top, self.part[1]),
            min(self.right, self.part[2]),
            min(self.bottom, self.part[3]),
        )

    @property
    def area(self) -> float:
        """How many times the photograph's own area it covers."""
        return (self.right - self.left) * (self.bottom - self.top)


def find_frame(view: str, photograph: Size, wanted: Size, resize: str, digest: bytes) -> Frame:
    """Return what a view shows of a photograph.

    Parameters
    ----------
    view : str
        See :func:`headstart.extract.decode.views.make_views`.
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
    >>> find_frame("flip", (400, 300), (224, 224), "crop", b"")
    Frame(left=0.125, top=0.0, right=0.875, bottom=1.0, mirrored=True, part=(0.0, 0.0, 1.0, 1.0))
    >>> frame = find_frame("original", (224, 112), (224, 224), "pad", b"")
    >>> (frame.top, frame.bottom), frame.shown
    ((-0.5, 1.5), (0.0, 0.0, 1.0, 1.0))
    """
    rule = find_rule(resize)
    box = (0, 0, *photograph)
    if view not in ("original", "flip"):
        box = crop_box(view, photograph, digest)
    placement = place((box[2] - box[0], box[3] - box[1]), wanted, rule)
    (left, right), (top, bottom) = (_span(placement, wanted, axis) for axis in (0, 1))
    return Frame(
        (box[0] + left) / photograph[0],
        (box[1] + top) / photograph[1],
        (box[0] + right) / photograph[0],
        (box[1] + bottom) / photograph[1],
        mirrored=is_mirrored(view, digest),
        part=(
            box[0] / photograph[0],
            box[1] / photograph[1],
            box[2] / photograph[0],
            box[3] / photograph[1],
        ),
    )


def _span(placement: Placement, wanted: Size, axis: int) -> tuple[float, float]:
    """Return where the input begins and ends along an axis, in pixels of the image."""
    start, end = placement.box[axis], placement.box[axis + 2]
    inner, offset = max(1, placement.inner[axis]), placement.offset[axis]
    pixel = (end - start) / inner
    return start - offset * pixel, start + (wanted[axis] - offset) * pixel
