"""The ``results.json`` document, typed; ``results.schema.json`` is made of it (``make docs``).

What an annotation says beside a type goes into the schema, and so does every metric of
:data:`headstart.classify.statistics.metrics.METRICS`, which all stand in an approach.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypedDict

from ..doctor.findings import CopiesDocument, LabelErrorDocument, OutlierDocument
from ..fit.learning_curve import PointDocument
from ..statistics.annotations import Count, Interval, Share, rules
from ..statistics.metrics import MetricValues
from ..statistics.paired_tests import PairedTestDocument
from ..statistics.resplits import RepeatedDocument
from ..statistics.sample_size import DetectableDocument

RESULTS_VERSION: Final = 3

Seconds = Annotated[float, rules(minimum=0)]
Rate = Annotated[float, rules(exclusiveMinimum=0)]
Sha256 = Annotated[str, rules(pattern="^[0-9a-f]{64}$")]
Kind = Literal["transfer", "finetune"]


class DatasetDocument(TypedDict):
    """The images, and how they were split."""

    path: str
    images: Count
    classes: Annotated[list[str], rules(minItems=2)]
    training: Count
    evaluation: Count
    near_copies: Annotated[Count, rules(description="Evaluation images like a training image.")]
    split: str
    failed: Count
    fingerprint: Annotated[
        Sha256, rules(description="Images, labels, groups and splits, without their names.")
    ]
    evaluation_fingerprint: Annotated[
        Sha256, rules(description="Evaluation images and their labels, in order.")
    ]


class PartsDocument(TypedDict):
    """Wall time by part."""

    features: Annotated[Seconds | None, rules(description="As if none had been cached.")]
    selection: Annotated[Seconds, rules(description="All that was tried.")]
    training: Annotated[Seconds, rules(description="Of what was chosen, once more.")]
    prediction: Seconds


class SubsetDocument(TypedDict):
    """An approach on the evaluation images that look like no training image."""

    n: Count
    accuracy: Share
    ci95: Interval


class ApproachDocument(MetricValues):
    """One approach."""

    name: str
    kind: Kind
    backbone: str
    ci95: Annotated[Interval, rules(description="Wilson's, of the accuracy.")]
    intervals: Annotated[dict[str, Interval], rules(description="95 %, by metric.")]
    if_calibrated: Annotated[
        dict[str, Interval],
        rules(description="What 95 % of calibrated classifiers, as sure, would show, by metric."),
    ]
    without_near_copies: SubsetDocument | None
    seconds: Annotated[Seconds, rules(description="Everything after the shared features.")]
    seconds_by_part: PartsDocument
    seconds_to_find: Annotated[
        Seconds, rules(description="Features, all that was tried, and the training of the chosen.")
    ]
    seconds_to_train_again: Annotated[
        Seconds, rules(description="Features, and the training of what was chosen.")
    ]
    cpu_seconds: Seconds
    peak_memory_mb: float | None
    trainable_parameters: Count
    model_bytes: Count
    images_per_second: float | None
    chosen_by: Annotated[
        Share, rules(description="Accuracy on training data by which the best of a kind is picked.")
    ]
    candidates: Annotated[Count, rules(description="Settings that were tried.")]
    epochs: Annotated[Count, rules(description="That the longest training might take.")]
    budget: dict[str, Any]
    history: list[dict[str, Any]]
    mistakes: Annotated[list[Count], rules(description="Positions in the evaluation split.")]
    repeats: RepeatedDocument | None
    reused: Annotated[bool, rules(description="Whether an earlier run computed it.")]


class PairDocument(PairedTestDocument):
    """Any two approaches."""

    first: str
    second: str
    holm_p: Share


class TestsDocument(PairedTestDocument):
    """The best head (first) and the best network (second), each chosen on training data.

    Where nothing could be fine-tuned, second is the best head of the other backbones, or the next.
    """

    first: str
    second: str
    without_near_copies: PairedTestDocument | None
    pairs: list[PairDocument]


class RepeatedDifferenceDocument(RepeatedDocument):
    """The best network less the best head, each chosen anew, over resplits."""

    p: Share


class CurveDocument(TypedDict):
    """Learning curve of the best head."""

    model: str
    points: Annotated[list[PointDocument], rules(minItems=1)]
    conclusion: str


class DoctorDocument(TypedDict):
    """Summary and first findings of ``headstart inspect``."""

    summary: list[str]
    label_errors: list[LabelErrorDocument]
    duplicates: list[CopiesDocument]
    near_duplicates: list[CopiesDocument]
    outliers: list[OutlierDocument]


class BackboneDocument(TypedDict):
    """A backbone, and what its features took."""

    backbone: str
    spec: dict[str, Any]
    seconds: Seconds
    extracted: Count
    images_per_second: Rate | None


class SettingsDocument(TypedDict):
    """What was asked for."""

    heads: list[str]
    finetune: list[dict[str, Any]]
    seed: Count
    repeats: Annotated[int, rules(minimum=1)]


class MadeDocument(TypedDict):
    """How it was made."""

    command: str
    versions: dict[str, str]
    machine: dict[str, Any]


class Results(TypedDict):
    """``results.json`` of ``headstart compare transfer-vs-finetune``."""

    version: Literal[3]
    headstart: str
    dataset: DatasetDocument
    approaches: Annotated[list[ApproachDocument], rules(minItems=2)]
    tests: TestsDocument
    repeats: RepeatedDifferenceDocument | None
    verdict: str
    outcome: Literal["transfer", "finetune", "tied", "untuned"]
    use: Annotated[str, rules(description="Name of the approach to use.")]
    images_needed: Annotated[int, rules(minimum=1)] | None
    detectable: DetectableDocument
    points_per_minute: float | None
    curve: Annotated[CurveDocument | None, rules(description="None where it takes long.")]
    doctor: DoctorDocument
    backbones: Annotated[list[BackboneDocument], rules(minItems=1)]
    settings: SettingsDocument
    made: MadeDocument
    warnings: list[str]
