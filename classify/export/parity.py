"""Whether an artefact answers as headstart does, on the same pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ExportError
from ...extract.decode.views import Pixels
from ...extract.engine.agreement import probe_images
from ...extract.images.in_memory import PixelImage
from ...extract.source import FeatureSource
from ..network.kept_maps import PassingStore, extract_passing
from ..saved.head_model import Model
from ..saved.network_model import TunedModel
from .artefact import Classify

IMAGES = 64
EXACT, REDUCED = 1e-4, 1e-2  # of a probability, in float32 and in fewer bits

# Of the probe images, height and width: both ways up, both sides of any backbone's input size.
SHAPES = (
    (480, 640),
    (640, 480),
    (224, 224),
    (97, 131),
    (331, 250),
    (120, 500),
    (500, 120),
    (64, 64),
)

Probabilities = NDArray[np.floating[Any]]  # (n, k)


@dataclass(frozen=True)
class Trial:
    """How an artefact's answers compare with headstart's.

    Parameters
    ----------
    runtime : str
        Where it ran, with the version.
    images : int
        Compared.
    of : str
        Which images, in words.
    labels_equal : int
        Images with the same label.
    difference : float
        Largest difference of a probability, 0 to 1.
    tolerance : float
        What is allowed.
    """

    runtime: str
    images: int
    of: str
    labels_equal: int
    difference: float
    tolerance: float

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
    runtime: str,
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
    runtime : str
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
    model: Model | TunedModel, source: FeatureSource, pixels: Sequence[Pixels]
) -> Probabilities:
    """Return headstart's own probabilities (n, k) of images in memory; the cache stays as it is."""
    images = [PixelImage(array, f"image {number}") for number, array in enumerate(pixels)]
    store = PassingStore(source.cache, source.spec)
    extract_passing(images, source, store, source.engine)
    return model.predict_proba(store.read([image.digest for image in images]))


def probe_pixels() -> list[Pixels]:
    """Return :data:`IMAGES` made-up images of several shapes, the same at every call."""
    each = IMAGES // len(SHAPES)
    return [np.ascontiguousarray(image) for shape in SHAPES for image in probe_images(shape, each)]


def tolerance_for(model: Model | TunedModel, quantize: str | None) -> float:
    """Return what may differ: reduced are quantised artefacts, and models of reduced features."""
    spec = model.spec
    exact = quantize is None and (spec.precision, spec.storage) == ("float32", "float32")
    return EXACT if exact else REDUCED
