"""What an artefact says of itself: class names, spec, abstention, parity."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from ...version import __version__
from ..heads.abstention import Abstainer, coverage_and_risk
from ..saved.head_model import Model
from ..saved.network_model import TunedModel

VERSION = 1  # of these keys
COVERAGE = 0.95  # of images like the training images, above the abstention threshold


def describe(model: Model | TunedModel, quantize: str | None) -> dict[str, Any]:
    """Return what an artefact's metadata hold before it has been run.

    Parameters
    ----------
    model : Model or TunedModel
        What is written.
    quantize : str or None
        ``"dynamic"``, ``"int8"`` or None for float32.

    Returns
    -------
    dict
        ``version``, ``created_by``, ``model``, ``classes``, ``abstention`` (None where the
        model has none), ``spec_id``, ``spec`` and ``quantize``.
    """
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


def confidence_rule(abstainer: Abstainer, coverage: float = COVERAGE) -> dict[str, Any]:
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

    Returns
    -------
    dict
        ``rule`` in words, ``wished``, and what :func:`~headstart.classify.heads.abstention.coverage_and_risk`
        returns: ``threshold``, ``coverage``, ``risk``, ``risk_ci95``.

    Examples
    --------
    >>> sure = np.linspace(0.5, 0.99, 50)
    >>> one = Abstainer(np.ones((2, 3), np.float32), sure, np.ones(50, np.float32), sure > 0.6)
    >>> confidence_rule(one, 0.9)["threshold"]
    0.54
    """
    n = len(abstainer.confidence)
    left_out = n + 1 - math.ceil(coverage * (n + 1) - 1e-9)
    threshold = float(np.sort(abstainer.confidence)[left_out - 1]) if left_out else 0.0
    return {
        "rule": "label where the highest probability is at least the threshold",
        "wished": coverage,
        **coverage_and_risk(abstainer.confidence, abstainer.right, threshold),
    }
