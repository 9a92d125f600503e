"""Options to spec to features: the one way from photographs to a feature matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..cache import FeatureSpec, FeatureStore, StatIndex, stat_index_path
from ..progress import Tell, silent, stage
from .engine.gpus import visible_gpus
from .failures import check_failures, check_limit
from .images.addresses import Reference
from .images.images import Dataset
from .images.in_memory import PixelImage
from .ledger import Extraction
from .pipeline import extract, read_features
from .source import FeatureSource


@dataclass(frozen=True)
class Features:
    """The features of some images."""

    X: Any  # one row for each image that could be read
    positions: list[int]  # (n,): which image of those given each row belongs to
    digests: list[bytes]  # (n,): SHA-256 of each image
    # columns of each layer within one view; d is their sum times the number of views
    widths: tuple[int, ...]
    extraction: Extraction  # what was extracted, reused, failed
    warnings: list[str]  # what went wrong without stopping the run


def ensure_features(
    paths: Sequence[Reference | PixelImage],
    source: FeatureSource,
    store: FeatureStore,
    progress: Tell = silent,
) -> tuple[Extraction, list[str]]:
    """Extract what the cache lacks; return what happened and warnings in words.

    This process does the work, or worker processes of a cluster do, one for each GPU.
    """
    ((extraction, warnings),) = ensure_in_blocks(paths, source, store, progress, max(1, len(paths)))
    return extraction, warnings


def ensure_in_blocks(
    paths: Sequence[Reference | PixelImage],
    source: FeatureSource,
    store: FeatureStore,
    progress: Tell,
    step: int,
) -> Iterator[tuple[Extraction, list[str]]]:
    """Do as :func:`ensure_features` does, for ``step`` images at a time; no more are known.

    A process for each GPU takes them all at once. Blocks of a cluster are under way side by side
    and end in any order.
    """
    with StatIndex(stat_index_path()) as stat_index:
        for extraction in _each_block(paths, source, store, stat_index, progress, step):
            warnings = [*map(str, store.damaged), *extraction.notes]
            if stat_index.problem:
                warnings.append(stat_index.problem)
            yield extraction, warnings


def _each_block(
    paths: Sequence[Reference | PixelImage],
    source: FeatureSource,
    store: FeatureStore,
    stat_index: StatIndex,
    progress: Tell,
    step: int,
) -> Iterator[Extraction]:
    if source.execution.backend != "local":
        from .cluster.coordinate import extract_on_cluster

        yield from extract_on_cluster(paths, source, store, stat_index, progress, step)
        return
    if source.plan.device == "gpu" and len(devices := visible_gpus()) > 1:
        from .cluster.coordinate import extract_on_gpus

        yield extract_on_gpus(devices, paths, source, store, stat_index, progress)
        return
    patient = source.keeping_engine() if len(paths) > step else source
    for start in range(0, max(1, len(paths)), step):

        def tell(done: int, total: int, note: str = "", start: int = start) -> None:
            del total
            progress(start + done, len(paths), note)

        yield extract(
            paths[start : start + step],
            store,
            patient.engine,
            stat_index,
            batch_size=source.plan.batch_size,
            workers=source.plan.workers,
            max_pixels=source.execution.max_pixels,
            progress=tell,
        )


def load_features(
    paths: Sequence[Reference | PixelImage],
    source: FeatureSource,
    in_memory: int | None = None,
    doing: str = "extracting",
) -> Features:
    """Extract what the cache lacks, then read all.

    Parameters
    ----------
    paths : sequence of Reference or PixelImage
        Images in files, behind URLs, in shards or in memory.
    source : FeatureSource
        What to extract.
    in_memory : int, optional
        Features of more bytes stay on the disk: ``X`` reads them where it is indexed.
    doing : str
        What this stage is called.

    Returns
    -------
    Features
    """
    store = source.store()
    warnings: list[str] = []
    progress = stage(doing)

    def run() -> Extraction:
        extraction, problems = ensure_features(paths, source, store, progress)
        warnings.extend(problems)
        return extraction

    extraction, X, positions = read_features(store, run, in_memory)
    digests = [digest for digest in extraction.digests if digest is not None]
    return Features(X, positions, digests, store.widths, extraction, list(dict.fromkeys(warnings)))


def load_dataset(
    dataset: Dataset,
    source: FeatureSource,
    max_failures: str | None = None,
    in_memory: int | None = None,
    doing: str = "extracting",
) -> Features:
    """Load the features of a dataset's images, unless more of them fail than may.

    The parameters are those of :func:`load_features` and
    :func:`headstart.extract.failures.check_failures`, whose errors these are; a limit that cannot
    be is refused before anything is read.
    """
    check_limit(max_failures)
    paths = dataset.paths
    features = load_features(paths, source, in_memory, doing)
    check_failures(features.extraction.failures, len(paths), max_failures)
    return features


def column_names(spec: FeatureSpec, widths: Sequence[int]) -> list[str]:
    """Name the columns in the cache's order: view after view, layer after layer.

    Parameters
    ----------
    spec : FeatureSpec
        What was extracted.
    widths : sequence of int
        Columns of each layer within one view.
    """
    layers = [
        f"{layer}_{number}"
        for layer, width in zip(spec.layers, widths, strict=True)
        for number in range(width)
    ]
    views = spec.views
    return layers if len(views) == 1 else [f"{view}_{name}" for view in views for name in layers]
