"""What a saved classifier remembers of its training and its evaluation: typed JSON."""

from __future__ import annotations

from typing import Any, TypedDict

from ..heads.abstention import AbstentionDocument
from ..heads.trials import CrossValidated
from ..statistics.annotations import Count, Interval, Share
from ..statistics.confusion import ClassFigures, ConfusedPair
from ..statistics.metrics import EvaluationDocument, FigureDocument
from ..statistics.paired_tests import PairedTestDocument
from ..statistics.reliability import ReliabilityBin


class DataCounts(TypedDict):
    """Images of a dataset, and what became of them."""

    name: str
    images: int
    failed: int
    copies: int
    left_out: int
    training: int
    evaluation: int
    split: str
    near_leaks: int


class TrainedClass(ClassFigures):
    """A class on the evaluation split, and the images of it that trained."""

    training: int


class Account(TypedDict):
    """What a card is made of, beside the record that it lies in.

    ``confused`` has the pairs of classes confused most; ``license`` is as its maker named it.
    """

    data: DataCounts
    figures: dict[str, FigureDocument]
    per_class: list[TrainedClass]
    confused: list[ConfusedPair]
    versions: dict[str, str]
    license: str | None


class Seconds(TypedDict):
    """Wall time."""

    features: float
    fit: float


class Sharpness(TypedDict):
    """What a temperature moves."""

    log_loss: float
    ece: float


class CalibrationDocument(TypedDict):
    """Calibration on the evaluation split, before and after; ``bins`` are those of the table."""

    temperature: float
    bins: int
    before: Sharpness
    after: Sharpness
    reliability: list[ReliabilityBin]


class TapsDocument(TypedDict):
    """Which layers a head sees, and in words what it makes of the views."""

    layers: list[str]
    views: str


class SampleDocument(TypedDict):
    """The part of a dataset that ``--sample`` took."""

    images: int
    of: int
    seed: int


class MoreRowsDocument(PairedTestDocument):
    """A head fitted on the sample of very many images that it was chosen on, and what all of them won.

    On the evaluation split; the paired test's first is the sample's, its second that of all.
    """

    images: Count  # in the sample
    of: Count  # images that the head was fitted on in the end
    accuracy: Share  # of the sample's
    ci95: Interval


class FigureBothWays(TypedDict):
    """A figure of the linear head, out of fold: in float32, in reduced precision, the difference."""

    float32: float
    reduced: float
    difference: float  # reduced less float32
    ci95: list[float]  # paired, of the difference


class PrecisionDocument(TypedDict):
    """What reduced precision costs the linear head on training images."""

    precision: str
    images: int
    accuracy: FigureBothWays
    log_loss: FigureBothWays
    within_noise: bool


class HeadRecord(TypedDict):
    """The ``fit head`` contract for one head; also what the head's file remembers."""

    model: str
    params: dict[str, Any]
    cv: CrossValidated
    evaluation: EvaluationDocument
    seconds: Seconds
    calibration: CalibrationDocument
    abstention: AbstentionDocument
    taps: TapsDocument
    classes: list[str]
    trainable_parameters: int
    data: str
    sample: SampleDocument | None
    more_rows: MoreRowsDocument | None
    precision: PrecisionDocument | None
    path: str | None
    card: str | None
    account: Account | None
    seed: int


class HeadDocument(HeadRecord):
    """``fit head --json`` of one head."""

    version: int


class HeadsDocument(TypedDict):
    """``fit head --json`` of several heads."""

    version: int
    heads: list[HeadRecord]
    best: str
    within_one_se: list[str]
