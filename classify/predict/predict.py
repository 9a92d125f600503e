"""Labels for new images."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...cache import FeatureStore
from ...errors import ModelError, OptionError
from ...extract.engine.gpus import visible_gpus
from ...extract.features import ensure_features
from ...extract.images.addresses import Reference
from ...extract.images.in_memory import PixelImage
from ...extract.images.listing import list_images
from ...extract.pipeline import Extraction, Failure, read_features
from ...extract.source import FeatureOptions, FeatureSource, feature_source, options_for
from ...progress import Tell, stage
from ..heads.abstention import Abstainer
from ..network.kept_maps import PassingStore, extract_passing

if TYPE_CHECKING:
    from ..saved.head_model import Model
    from ..saved.linear_model import LinearModel
    from ..saved.network_model import TunedModel

    AnyModel = Model | TunedModel | LinearModel

BLOCK = 2048  # images labelled at a time: their features are in memory …
MAPS = 64  # … or their whole maps, which are large

Images = Sequence[Reference | PixelImage]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the classifier says of one image.

    Parameters
    ----------
    path : Reference
        The image.
    top : list of (label, probability)
        The most probable classes first.
    abstained : bool
        Whether the image had better be left to a person.
    digest : bytes
        SHA-256 of the image.
    placed : Path or None
        Where it was linked or copied to.
    """

    path: Reference
    top: list[tuple[str, float]]
    abstained: bool = False
    digest: bytes = b""
    placed: Path | None = None

    @property
    def label(self) -> str | None:
        """The most probable class; None where the classifier abstains."""
        return None if self.abstained else self.top[0][0]


@dataclass(frozen=True)
class Answers:
    """What a classifier says of a block of images.

    Parameters
    ----------
    images : sequence of Reference or PixelImage
        The block.
    positions : list of int, length m
        Which of its images each row belongs to; the others are among the failures.
    digests : list of bytes, length m
        SHA-256 of each.
    probabilities : ndarray, shape (m, k), float64
        Of the model's classes; rows sum to 1.
    usual : ndarray, shape (m,), float64, or None
        How usual each is among the training images, over 0 and up to 1, see
        :meth:`headstart.classify.heads.abstention.Abstainer.judge`; None where it was not asked for.
    failures : list of Failure
        Images that could not be read, in their order.
    warnings : list of str
        What went wrong without stopping the run.
    """

    images: Images
    positions: list[int]
    digests: list[bytes]
    probabilities: NDArray[np.float64]
    usual: NDArray[np.float64] | None
    failures: list[Failure]
    warnings: list[str]


def predict(
    model: AnyModel,
    paths: Iterable[str | os.PathLike[str] | PixelImage],
    options: FeatureOptions,
    top: int = 3,
    abstain: float | None = None,
) -> tuple[list[Prediction], list[Failure]]:
    """Label images, through the same cache as training.

    Parameters
    ----------
    model : Model
        From :func:`headstart.classify.saved.load.load_model`.
    paths : iterable of path or PixelImage
        Files, folders, patterns, shards and URLs, see :func:`headstart.extract.images.listing.list_images`; images
        in memory.
    options : FeatureOptions
        Where the cache is and how to run; what is extracted is the model's.
    top : int
        Classes to name for each image.
    abstain : float, optional
        Share of images like the training images to label, over 0 and up to 1; the most
        unusual others are left to a person. None labels all.

    Returns
    -------
    predictions : list of Prediction
    failures : list of Failure
        Images that could not be read.

    Raises
    ------
    DataError
        If a path does not exist or there is nothing to label.
    ModelError
        If the backbone's weights here are not those of training, or the model cannot abstain.
    OptionError
        If the share to label is out of range.
    """
    predictions: list[Prediction] = []
    failures: list[Failure] = []
    for answer in predict_each(model, list_images(paths), options, top, abstain):
        if isinstance(answer, Prediction):
            predictions.append(answer)
        else:
            failures.append(answer)
    return predictions, failures


def predict_each(
    model: AnyModel,
    images: Images,
    options: FeatureOptions,
    top: int = 3,
    abstain: float | None = None,
    warn: Callable[[str], None] = lambda line: None,
) -> Iterator[Prediction | Failure]:
    """Label images one by one, in their order; the parameters are those of :func:`predict`.

    Features are extracted, read and let go a block at a time: any number of images takes
    the same memory, and the first labels are there long before the last.

    Parameters
    ----------
    images : sequence of Reference or PixelImage
        From :func:`headstart.extract.images.listing.list_images`.
    warn : callable
        Told, in a line, what went wrong without stopping the run.

    Yields
    ------
    Prediction or Failure
        One for each image.
    """
    threshold = None if abstain is None else abstainer_of(model).threshold(abstain)
    told: set[str] = set()
    for block in label_images(model, images, options, judging=threshold is not None):
        for line in dict.fromkeys(block.warnings):
            if line not in told:
                warn(line)
        told.update(block.warnings)
        yield from _in_order(block, model.classes, top, threshold)


def _in_order(
    block: Answers, classes: list[str], top: int, threshold: float | None
) -> Iterator[Prediction | Failure]:
    """Turn the rows of a block into one answer for each of its images."""
    best = np.argsort(-block.probabilities, axis=1, kind="stable")[:, :top]
    rows = {position: row for row, position in enumerate(block.positions)}
    failures = iter(block.failures)
    for position, image in enumerate(block.images):
        if position not in rows:
            yield next(failures)
            continue
        row = rows[position]
        yield Prediction(
            path=Path(str(image)) if isinstance(image, PixelImage) else image,
            top=[(classes[c], float(block.probabilities[row, c])) for c in best[row]],
            abstained=block.usual is not None and bool(block.usual[row] < (threshold or 0.0)),
            digest=block.digests[row],
        )


def label_images(
    model: AnyModel,
    images: Images,
    options: FeatureOptions,
    *,
    judging: bool = False,
) -> Iterator[Answers]:
    """Extract features as training did and classify them, a block at a time.

    Parameters
    ----------
    model : Model or TunedModel
        The classifier.
    images : sequence of Reference or PixelImage
        What to label.
    options : FeatureOptions
        Where the cache is and how to run; what is extracted is the model's.
    judging : bool
        Whether to say how usual each image is, for abstention.

    Yields
    ------
    Answers
        Block by block, in order.

    Raises
    ------
    ModelError
        If the backbone's weights here are not those of training, or the model cannot abstain.
    """
    source = source_of(model, options)
    yield from label_with(model, source, images, judging=judging)


def label_with(
    model: AnyModel,
    source: FeatureSource,
    images: Images,
    *,
    judging: bool = False,
) -> Iterator[Answers]:
    """Do what :func:`label_images` does, with a source that :func:`source_of` has made."""
    abstainer = abstainer_of(model) if judging else None
    store, run, size = _way(model, source, len(images))
    progress = stage("predicting")
    for low in range(0, len(images), size):
        block = images[low : low + size]
        warnings: list[str] = []

        def tell(done: int, total: int, note: str = "", low: int = low) -> None:
            del total, note
            progress(low + done, len(images))

        def extract_block(block: Images = block, told: list[str] = warnings) -> Extraction:
            extraction, lines = run(block, tell)
            told.extend(lines)
            return extraction

        extraction, X, positions = read_features(store, extract_block)
        probabilities = np.empty((0, len(model.classes)))
        usual = None if abstainer is None else np.empty(0)
        if positions:
            probabilities = model.predict_proba(X[:])
            usual = None if abstainer is None else abstainer.judge(X, probabilities)
        digests = [digest for digest in extraction.digests if digest is not None]
        failures = extraction.failures
        yield Answers(block, positions, digests, probabilities, usual, failures, warnings)
        if isinstance(store, PassingStore):
            store.forget()


Run = Callable[[Images, Tell], tuple[Extraction, list[str]]]


def _way(model: AnyModel, source: FeatureSource, images: int) -> tuple[FeatureStore, Run, int]:
    """Choose how blocks are extracted: the store, what fills it, and images a block.

    Features are kept. Whole maps are large: they are read from the cache where training
    left them there, and the others are let go once the network has seen them. The engine
    is made once.
    """
    backend = source.options.backend
    if not model.keeps_features:
        if backend != "local":
            raise OptionError(
                f"--backend {backend} fills the cache, and this fine-tuned network keeps nothing "
                "there: it labels on this machine, leave --backend out"
            )
        passing = PassingStore(source.cache, source.spec)
        make_engine = functools.cache(lambda: source.options.make_engine(source))

        def extract_maps(block: Images, tell: Tell) -> tuple[Extraction, list[str]]:
            extraction = extract_passing(block, source, passing, make_engine, tell)
            return extraction, list(extraction.notes)

        return passing, extract_maps, MAPS
    store = source.store()
    # Processes of their own, a cluster's or one for each of several GPUs, are started for a block.
    if backend != "local" or (source.plan.device == "gpu" and len(visible_gpus()) > 1):
        return (
            store,
            lambda block, tell: ensure_features(block, source, store, tell),
            max(images, 1),
        )
    once = functools.cache(source.options.make_engine)
    patient = replace(source, options=replace(source.options, make_engine=once))
    return store, lambda block, tell: ensure_features(block, patient, store, tell), BLOCK


def source_of(model: AnyModel, options: FeatureOptions) -> FeatureSource:
    """Return what the model was trained on, here.

    Raises
    ------
    ModelError
        If it would not be the same.
    """
    spec = model.spec
    weights = model.weights if options.weights == "imagenet" else options.weights
    source = feature_source(replace(options_for(spec, options), weights=weights))
    if source.spec != spec:
        raise ModelError(_mismatch(spec.weights_sha256, source.spec.weights_sha256, source.weights))
    return source


def abstainer_of(model: AnyModel) -> Abstainer:
    """Return what a model abstains by.

    Raises
    ------
    ModelError
        If it was saved without.
    """
    if not hasattr(model, "abstainer"):
        raise ModelError(
            f"a network ({model.name}) has no out-of-fold scores to abstain by: leave --abstain "
            "out, or take a head of 'fit head --out'"
        )
    if model.abstainer is None:
        raise ModelError(
            f"this {model.name} was saved without the out-of-fold scores that --abstain needs: "
            "fit it again with 'fit head --out', the features are still cached"
        )
    return model.abstainer


def _mismatch(trained: str, here: str, weights: Path) -> str:
    if trained == here:
        return "the model was made by another version of headstart's image decoding: train it again"
    return (
        f"the model was trained on backbone weights with SHA-256 {trained[:12]}…, {weights} has "
        f"{here[:12]}…: name the right file with --weights FILE"
    )
