"""What an artefact says of itself: class names, spec, abstention, parity."""

from __future__ import annotations

import json
from typing import Any, NotRequired, TypedDict

from ...version import __version__
from ..heads.abstention import Abstainer, CoveragePoint, conformal_threshold, coverage_and_risk
from ..saved.head_model import Model
from ..saved.load import SavedModel

VERSION = 1  # of these keys
COVERAGE = 0.95  # of images like the training images, above the abstention threshold
LABELS, ABOUT = "labels.txt", "headstart.json"  # files of formats that hold files


class ParityDocument(TypedDict):
    """How an artefact's answers compare with headstart's, in its first runtime."""

    images: int
    of: str
    labels_equal: int
    difference: float
    tolerance: float


class TrialDocument(TypedDict):
    """How they compare in one runtime."""

    name: str
    version: str
    labels_equal: int
    difference: float


class AccuracyDocument(TypedDict):
    """What an artefact gets right on the evaluation split, and headstart on the same pixels."""

    split: str
    n: int
    labels_equal: int
    accuracy: float  # the artefact's
    ci95: list[float]  # Wilson's
    headstart: float  # accuracy of ours, on the same pixels
    lost: float  # the difference
    lost_ci95: list[float]  # of a paired test


class ConfidenceRule(CoveragePoint):
    """From which highest probability on an image is labelled, and the rule in words."""

    rule: str


class About(TypedDict):
    """What an artefact says of itself; what comes of running it is added once it has been run."""

    version: int
    created_by: str
    model: str
    classes: list[str]
    abstention: ConfidenceRule | None
    spec_id: str
    spec: dict[str, Any]
    quantize: str | None
    parity: NotRequired[ParityDocument]
    runtimes: NotRequired[list[TrialDocument]]
    accuracy: NotRequired[AccuracyDocument | None]


def describe(model: SavedModel, quantize: str | None) -> About:
    """Return what an artefact's metadata hold before it has been run."""
    abstainer = model.abstainer if isinstance(model, Model) else None
    return {
        "version": VERSION,
        "created_by": f"headstart {__version__}",
        "model": model.name,
        "classes": model.classes,
        "abstention": None if abstainer is None else confidence_rule(abstainer),
        "spec_id": model.spec.id,
        "spec": json.loads(model.spec.to_json()),
        "quantize": quantize,
    }


def confidence_rule(abstainer: Abstainer, coverage: float = COVERAGE) -> ConfidenceRule:
    """Return the highest probability from which on an image is labelled.

    An artefact gives probabilities alone, so this is half of what ``predict --abstain`` does:
    it finds images between two classes, not strangers of which the head is sure. The
    threshold is the conformal quantile of the out-of-fold confidences, see
    :meth:`headstart.classify.heads.abstention.Abstainer.threshold`.

    Parameters
    ----------
    abstainer : Abstainer
        With the confidence of each training image, out of fold.
    coverage : float
        Share of images like them that are to be labelled, over 0 and up to 1.

    Examples
    --------
    >>> import numpy as np
    >>> sure = np.linspace(0.5, 0.99, 50)
    >>> abstainer = Abstainer(np.ones((2, 3), np.float32), sure, np.ones(50, np.float32), sure > 0.6)
    >>> confidence_rule(abstainer, 0.9)["threshold"]
    0.54
    """
    threshold = conformal_threshold(abstainer.confidence, coverage)
    return {
        "rule": "label where the highest probability is at least the threshold",
        "wished": coverage,
        **coverage_and_risk(abstainer.confidence, abstainer.right, threshold),
    }


def labels_text(classes: list[str]) -> str:
    r"""Return class names, a line each, in the order of the probabilities; UTF-8 can hold it.

    Examples
    --------
    >>> print(labels_text(["cat", "two\nlines", "caf\udce9"]), end="")
    cat
    two lines
    caf\xe9
    """
    lines = (" ".join(name.splitlines()) for name in classes)
    names = (
        line.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        for line in lines
    )
    return "".join(f"{name}\n" for name in names)
