"""What an artefact gets right on the evaluation split, beside headstart on the same pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...errors import DecodeError, ExportError
from ...extract.decode.views import Pixels
from ...progress import stage
from ..statistics.intervals import wilson
from ..statistics.paired_tests import paired_test
from .about import AccuracyDocument
from .artefact import Classify
from .parity import Probabilities, answers
from .photographs import Photographs, whole_pixels

BLOCK = 32  # images whose pixels are in memory at once


def measure_accuracy(
    photographs: Photographs,
    ours: Callable[[Sequence[Pixels]], Probabilities],
    classify: Classify,
) -> AccuracyDocument:
    """Label the evaluation split twice and compare.

    Parameters
    ----------
    photographs : Photographs
        With the evaluation split.
    ours : callable
        Images to headstart's probabilities (n, k).
    classify : callable
        The artefact, opened.

    Returns
    -------
    dict
        ``ci95`` is the Wilson interval of the artefact's ``accuracy``, ``headstart`` ours on the
        same pixels, ``lost`` the difference and ``lost_ci95`` its paired bootstrap interval.

    Raises
    ------
    ExportError
        If none of its images can be read.
    """
    mine, theirs, truth = [], [], []
    n = len(photographs.evaluation)
    tell = stage("measuring accuracy")
    for low in range(0, n, BLOCK):
        pixels = []
        for row, path in enumerate(photographs.evaluation[low : low + BLOCK], start=low):
            try:
                pixels.append(whole_pixels(path, photographs.max_pixels, photographs.bit_depth))
            except DecodeError:
                continue
            truth.append(int(photographs.truth[row]))
        if pixels:
            mine.append(ours(pixels).argmax(axis=1))
            theirs.append(answers(classify, pixels)[1])
        tell(min(low + BLOCK, n), n)
    if not truth:
        raise ExportError(f"no image of {photographs.name} can be read to measure accuracy on")
    first, second = np.concatenate(mine), np.concatenate(theirs)
    right = first == np.array(truth), second == np.array(truth)
    test = paired_test(right[1], right[0])
    hits = int(right[1].sum())
    return {
        "split": photographs.split,
        "n": len(truth),
        "labels_equal": int((first == second).sum()),
        "accuracy": hits / len(truth),
        "ci95": list(wilson(hits, len(truth))),
        "headstart": float(right[0].mean()),
        "lost": test.difference,
        "lost_ci95": list(test.difference_ci95),
    }
