"""Any number of images, labelled a block at a time in the same memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...cache import FeatureStore
from ...errors import OptionError
from ...extract.features import ensure_features
from ...extract.images.addresses import Reference
from ...extract.images.in_memory import PixelImage
from ...extract.ledger import Extraction, Failure
from ...extract.pipeline import read_features
from ...extract.source import FeatureSource
from ...progress import Tell, stage
from ..network.kept_maps import PassingStore, extract_passing
from ..saved.load import SavedModel
from .model_source import abstainer_of

BLOCK = 2048  # images labelled at a time: their features are in memory …
MAPS = 64  # … or their whole maps, which are large

Images = Sequence[Reference | PixelImage]


@dataclass(frozen=True)
class Answers:
    """What a classifier says of a block of images."""

    images: Images
    # (m,): which of its images each row belongs to; the others are among the failures
    positions: list[int]
    digests: list[bytes]  # (m,): SHA-256 of each
    probabilities: NDArray[np.float64]  # (m, k): of the model's classes; rows sum to 1
    # (m,): how usual each is among the training images, over 0
    # and up to 1, see `judge`; None where it was not asked for
    usual: NDArray[np.float64] | None
    failures: list[Failure]  # images that could not be read, in their order
    warnings: list[str]  # what went wrong without stopping the run


def label_images(
    model: SavedModel,
    source: FeatureSource,
    images: Images,
    *,
    judging: bool = False,
    block: int | None = None,
) -> Iterator[Answers]:
    """Extract features as training did and classify them, a block at a time, in order.

    Parameters
    ----------
    model : Model or TunedModel
        The classifier.
    source : FeatureSource
        From :func:`headstart.classify.predict.model_source.source_of`.
    images : sequence of Reference or PixelImage
        What to label.
    judging : bool
        Whether to say how usual each image is, for abstention.
    block : int, optional
        Images labelled at a time; as many as memory bears when None.

    Raises
    ------
    ModelError
        If the model cannot abstain.
    """
    abstainer = abstainer_of(model) if judging else None
    way = find_way(model, source, len(images), block)
    progress = stage("predicting")
    for low in range(0, len(images), way.images):
        part = images[low : low + way.images]
        warnings: list[str] = []

        def tell(done: int, total: int, note: str = "", low: int = low) -> None:
            del total, note
            progress(low + done, len(images))

        def extract_block(part: Images = part, lines: list[str] = warnings) -> Extraction:
            extraction, remarks = way.fill(part, tell)
            lines.extend(remarks)
            return extraction

        extraction, X, positions = read_features(way.store, extract_block)
        probabilities = np.empty((0, len(model.classes)))
        usual = None if abstainer is None else np.empty(0)
        if positions:
            probabilities = model.predict_proba(X[:])
            usual = None if abstainer is None else abstainer.judge(X, probabilities)
        digests = [digest for digest in extraction.digests if digest is not None]
        failures = extraction.failures
        yield Answers(part, positions, digests, probabilities, usual, failures, warnings)
        if isinstance(way.store, PassingStore):
            way.store.forget()


@dataclass(frozen=True)
class Way:
    """How blocks of images become features."""

    store: FeatureStore  # where they are read from
    # extracts what the store lacks of a block; returns
    # what became of each image, and lines worth telling
    fill: Callable[[Images, Tell], tuple[Extraction, list[str]]]
    images: int  # in a block, at most


def find_way(model: SavedModel, source: FeatureSource, images: int, block: int | None) -> Way:
    """Choose how blocks are extracted; the engine is made once.

    Features are kept. Whole maps are large: they are read from the cache where training
    left them there, and the others are let go once the network has seen them.
    """
    if not model.keeps_features:
        return _way_of_maps(source, block or MAPS)
    store = source.store()
    if not source.runs_here:  # other processes are started for a block
        return Way(
            store, lambda part, tell: ensure_features(part, source, store, tell), max(images, 1)
        )
    patient = source.keeping_engine()
    return Way(
        store, lambda part, tell: ensure_features(part, patient, store, tell), block or BLOCK
    )


def _way_of_maps(source: FeatureSource, block: int) -> Way:
    if source.execution.backend != "local":
        raise OptionError(
            f"--backend {source.execution.backend} fills the cache, and this fine-tuned network "
            "keeps nothing there: it labels on this machine, leave --backend out"
        )
    passing = PassingStore(source.cache, source.spec)
    make_engine = source.keeping_engine().engine

    def fill(part: Images, tell: Tell) -> tuple[Extraction, list[str]]:
        extraction = extract_passing(part, source, passing, make_engine, tell)
        return extraction, list(extraction.notes)

    return Way(passing, fill, block)
