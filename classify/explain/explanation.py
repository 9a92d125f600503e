"""What ``explain`` gives: label, map of evidence, nearest training images; and its document."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np

from ...extract.images.addresses import Reference
from ...extract.ledger import Failure
from ...text import shown
from ..predict.predict import FailureDocument, RankedLabel, describe_failure
from .heat import Grid, Map, find_box, lay_out, share_inside
from .method import MethodChoice
from .neighbours import Neighbour

SIDE = 32  # cells of a map's longer side where it is told in numbers


class MapDocument(TypedDict):
    """Evidence on the whole photograph; None where the network saw nothing."""

    shape: list[int]
    values: list[list[float | None]]


class NeighbourDocument(TypedDict):
    """A training image that the image resembles."""

    path: str
    label: str
    similarity: float
    agrees: bool


# "class" is a keyword of Python's.
ExplanationDocument = TypedDict(
    "ExplanationDocument",
    {
        "image": str,
        "label": str,
        "probability": float,
        "class": str,
        "class_probability": float,
        "top": list[RankedLabel],
        "map": MapDocument,
        "box": list[float] | None,
        "mass_in_box": float | None,
        "neighbours": list[NeighbourDocument],
        "seconds": float,
    },
)


class ExplanationsDocument(TypedDict):
    """The contract of ``headstart explain --json``; ``page`` and ``pictures`` with ``--out``."""

    version: int
    method: str
    why: str
    explanations: list[ExplanationDocument]
    failed: list[FailureDocument]
    remarks: list[str]
    page: NotRequired[str]
    pictures: NotRequired[list[str]]


@dataclass(frozen=True)
class Explanation:
    """Why one image got its label."""

    path: Reference
    top: list[tuple[str, float]]  # (label, probability): all classes, the most probable first
    explained: str  # the class whose evidence the maps show: the first, or the one asked for
    maps: list[Map]  # of each view and layer; they add up
    # (width, height): of the upright photograph, in pixels as decoded for the network
    size: tuple[int, int]
    neighbours: list[Neighbour]  # the nearest training images, the most similar first
    seconds: float  # what maps and neighbours took, the model's loading left out

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.top[0][0]

    def grid(self, longest: int) -> Grid:
        """Return the maps on the whole photograph, its longer side in so many cells."""
        scale = longest / max(self.size)
        width, height = (max(1, round(scale * side)) for side in self.size)
        return lay_out(self.maps, width, height)

    def to_dict(self) -> ExplanationDocument:
        """Return one entry of the contract's ``explanations``."""
        grid = self.grid(SIDE)
        box = find_box(grid)
        values = [[None if np.isnan(v) else float(f"{v:.4g}") for v in row] for row in grid]
        return {
            "image": shown(self.path),
            "label": self.label,
            "probability": self.top[0][1],
            "class": self.explained,
            "class_probability": dict(self.top)[self.explained],
            "top": [{"label": name, "probability": value} for name, value in self.top],
            "map": {"shape": list(grid.shape), "values": values},
            "box": None if box is None else list(box),
            "mass_in_box": None if box is None else share_inside(grid, box),
            "neighbours": [
                {
                    "path": shown(near.path),
                    "label": near.label,
                    "similarity": near.similarity,
                    "agrees": near.label == self.label,
                }
                for near in self.neighbours
            ],
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Written:
    """The files that were written."""

    page: Path  # `index.html`
    pictures: list[Path]  # one for each image, in order


@dataclass(frozen=True)
class Explanations:
    """What ``explain`` gives."""

    choice: MethodChoice  # the method, and why
    images: list[Explanation]  # in the order given
    failures: list[Failure]  # images that could not be read
    remarks: list[str]  # what is worth telling

    def to_dict(self, written: Written | None = None) -> ExplanationsDocument:
        """Return the contract, with the files that were written."""
        document: ExplanationsDocument = {
            "version": 1,
            "method": self.choice.method,
            "why": self.choice.why,
            "explanations": [explanation.to_dict() for explanation in self.images],
            "failed": [describe_failure(failure) for failure in self.failures],
            "remarks": self.remarks,
        }
        if written is not None:
            document["page"] = shown(written.page)
            document["pictures"] = [shown(path) for path in written.pictures]
        return document
