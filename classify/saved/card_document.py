"""The model card as JSON, typed."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from ..heads.abstention import CoveragePoint
from ..statistics.confusion import ConfusedPair
from ..statistics.metrics import FigureDocument
from .records import DataCounts, Seconds, TrainedClass


class CardEvaluation(TypedDict):
    """The evaluation split, which was used once."""

    split: str
    n: int
    figures: dict[str, FigureDocument]
    per_class: list[TrainedClass]
    confused: list[ConfusedPair]


class BackboneFacts(TypedDict):
    """The backbone; licence and name on the Hub are known of bundled weights alone."""

    name: str
    parameters: int
    multiply_adds: float
    weights: str
    weights_sha256: str
    licence: str | None
    base_model: str | None


class Cost(TypedDict):
    """What training took, and the numbers that it set."""

    seconds: Seconds
    trainable_parameters: int


class ParityFigures(TypedDict):
    """How an export compares with the classifier on photographs."""

    images: int
    labels_equal: bool
    largest: float
    tolerance: float


class ExportEntry(TypedDict):
    """An export, as :func:`headstart.classify.saved.card.add_export` takes it."""

    format: str
    file: str
    bytes: int
    quantize: str | None
    parity: ParityFigures
    accuracy: NotRequired[float | None]
    accuracy_lost: NotRequired[float | None]


class CardFacts(TypedDict):
    """The card but for its sentences.

    ``chosen`` says how the classifier was found, ``spec`` all that decides a feature's value.
    """

    version: int
    name: str
    file: str
    bytes: int
    kind: Literal["head", "network"]
    model: str
    classes: list[str]
    chosen: dict[str, Any]
    data: DataCounts
    evaluation: CardEvaluation
    abstention: list[CoveragePoint] | None
    backbone: BackboneFacts
    spec: dict[str, Any]
    cost: Cost
    license: str | None
    versions: dict[str, str]
    exports: list[ExportEntry]


class CardDocument(CardFacts):
    """``NAME.MODEL.json``."""

    intended_use: list[str]
    limits: list[str]
