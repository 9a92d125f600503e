"""Whether an artefact answers as headstart does, on the same pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DecodeError, ExportError
from ...extract.decode.views import Pixels
from ...extract.images.in_memory import PixelImage
from ...extract.source import FeatureSource
from ...progress import stage
from ..network.kept_maps import PassingStore, extract_passing
from ..saved.load import SavedModel
from ..statistics.intervals import wilson
from ..statistics.paired_tests import paired_test
from .about import AccuracyDocument
from .artefact import Classify, Runtime
from .photographs import Photographs, whole_pixels

BLOCK = 32  # images whose pixels are in memory at once
EXACT, REDUCED = 1e-4, 1e-2  # of a probability, in float32 and in fewer bits

Probabilities = NDArray[np.floating[Any]]  # (n, k)


@dataclass(frozen=True)
class Trial:
    """How an artefact's answers compare with headstart's."""

    runtime: Runtime  # where it ran
    images: int
    of: str  # which images, in words
    labels_equal: int  # images with the same label
    difference: float  # largest difference of a probability, 0 to 1
    tolerance: float  # what is allowed

    def check(self, *, labels: bool) -> None:
        """Refuse an artefact that answers otherwise.

        Parameters
        ----------
        labels : bool
            Whether all labels must be equal, too.

        Raises
        ------
        ExportError
            With the figures.
        """
        close = self.difference <= self.tolerance  # NaN is not
        if close and (self.labels_equal == self.images or not labels):
            return
        raise ExportError(
            f"in {self.runtime} the artefact answers otherwise than headstart: "
            f"{self.labels_equal} of {self.images} labels equal, probabilities within "
            f"{self.difference:.2g}, on {self.of} (at most {self.tolerance:g} is allowed): nothing "
            "is written; --tolerance allows more"
        )


def compare(
    classify: Classify,
    runtime: Runtime,
    pixels: Sequence[Pixels],
    ours: Probabilities,
    of: str,
    tolerance: float,
) -> Trial:
    """Run an artefact on images, one by one, and compare.

    Parameters
    ----------
    classify : callable
        The artefact, just opened: its first answer is compared, too.
    runtime : Runtime
        Where it runs.
    pixels : sequence of ndarray (height, width, 3), uint8
        The images.
    ours : ndarray, shape (n, k)
        Headstart's probabilities of them.
    of : str
        Which images they are, in words.
    tolerance : float
        Largest difference of a probability that is allowed.
    """
    theirs, labels = answers(classify, pixels)
    return Trial(
        runtime=runtime,
        images=len(pixels),
        of=of,
        labels_equal=int((labels == ours.argmax(axis=1)).sum()),
        difference=float(np.abs(theirs - ours).max()),
        tolerance=tolerance,
    )


def answers(
    classify: Classify, pixels: Sequence[Pixels]
) -> tuple[Probabilities, NDArray[np.int64]]:
    """Return an artefact's probabilities (n, k) and label indices (n,), image by image."""
    probabilities, labels = zip(*(classify(image[None]) for image in pixels), strict=True)
    return np.concatenate(probabilities), np.concatenate(labels)


def our_answers(
    model: SavedModel, source: FeatureSource, pixels: Sequence[Pixels]
) -> Probabilities:
    """Return headstart's own probabilities (n, k) of images in memory; the cache stays as it is."""
    images = [PixelImage(array, f"image {number}") for number, array in enumerate(pixels)]
    store = PassingStore(source.cache, source.spec)
    extract_passing(images, source, store, source.engine)
    return model.predict_proba(store.read([image.digest for image in images]))


def tolerance_for(model: SavedModel, quantize: str | None) -> float:
    """Return what may differ: reduced are quantised artefacts, and models of reduced features."""
    spec = model.spec
    exact = quantize is None and (spec.precision, spec.storage) == ("float32", "float32")
    return EXACT if exact else REDUCED


def measure_accuracy(
    photographs: Photographs,
    ours: Callable[[Sequence[Pixels]], Probabilities],
    classify: Classify,
) -> AccuracyDocument:
    """Label the evaluation split twice and compare.

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
        "lost": test["difference"],
        "lost_ci95": test["difference_ci95"],
    }
