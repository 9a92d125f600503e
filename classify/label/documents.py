"""The JSON that the page of ``label`` and its server exchange."""

from __future__ import annotations

from typing import TypedDict

from .quality import QualityDocument


class PhotographDocument(TypedDict):
    """A photograph in the grid: what it is called, the label it has, the guess of the head."""

    row: int
    name: str
    picture: str
    label: str | None
    guess: str | None
    share: float | None
    why: str


class ClassDocument(TypedDict):
    """A class and how many photographs have it."""

    name: str
    photographs: int


class StateDocument(TypedDict):
    """What the page says at all times."""

    photographs: int
    labelled: int
    classes: list[ClassDocument]
    quality: QualityDocument | None
    learning: bool
    undo: int
    file: str


class UndoneDocument(TypedDict):
    """The photographs whose labels were taken back."""

    photographs: list[PhotographDocument]
    state: StateDocument


class FittedDocument(TypedDict):
    """The classifier that ``fit head`` made of the labels."""

    path: str
    accuracy: float
    ci95: list[float]
    n: int
    split: str
    warnings: list[str]
