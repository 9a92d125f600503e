"""``headstart extract features``: the features of a dataset, and what is said of the run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

from ..cache import place_of
from ..progress import stage
from ..text import shown
from .failures import check_failures, check_limit
from .features import ensure_in_blocks, load_features
from .images.images import Dataset
from .ledger import Extraction, Totals
from .one_run import STAGES
from .photographs import Photographs
from .portable_table import check_table, write_table
from .source import FeatureSource

BLOCK = 1 << 16  # images that are known at a time; of more than that no ledger is kept


class FailedImage(TypedDict):
    """An image without features, and why."""

    path: str
    reason: str


class LedgerLine(TypedDict):
    """What became of one image."""

    path: str
    outcome: str
    reason: str | None


class FeaturesDocument(TypedDict):
    """What ``headstart extract features --json`` prints."""

    version: int
    images: int
    extracted: int
    reused: int
    duplicates: int
    failed: list[FailedImage]
    ledger: list[LedgerLine]
    dimension: int | None
    seconds: float
    startup_seconds: float
    images_per_second: float | None
    milliseconds: dict[str, float] | None  # of an extracted image on its thread, by stage
    backend: str
    engine: str | None
    device: str | None
    precision: str
    batch_size: int
    workers: int
    spec: dict[str, Any]
    cache: str


@dataclass(frozen=True)
class FeatureRun:
    """A dataset whose features are in the cache."""

    source: FeatureSource  # what was extracted, and how
    extraction: Extraction  # what became of the images
    images: int  # how many there were
    dimension: int | None  # features an image; None in an empty cache
    max_failures: str | None  # how many images may fail
    warnings: list[str]  # what is worth telling

    @property
    def images_per_second(self) -> float | None:
        """Images that ran through the backbone by all seconds; None where none did."""
        extraction = self.extraction
        return extraction.extracted / extraction.seconds if extraction.extracted else None

    @property
    def milliseconds(self) -> dict[str, float] | None:
        """What an image took on its thread, by stage; None where none ran here."""
        extraction = self.extraction
        if not extraction.extracted or not extraction.spent:
            return None
        return {
            stage: round(1000 * extraction.spent.get(stage, 0.0) / extraction.extracted, 3)
            for stage in STAGES
        }

    def check(self) -> None:
        """Refuse a run in which too many images failed.

        Raises
        ------
        DataError
            See :func:`headstart.extract.failures.check_failures`.
        """
        check_failures(self.extraction.failures, self.images, self.max_failures)

    def to_document(self) -> FeaturesDocument:
        """Return the ``extract features`` contract."""
        extraction, source = self.extraction, self.source
        rate = self.images_per_second
        return {
            "version": 1,
            "images": self.images,
            "extracted": extraction.extracted,
            "reused": extraction.reused,
            "duplicates": extraction.duplicates,
            "failed": [
                {"path": shown(failure.path), "reason": failure.reason}
                for failure in extraction.failures
            ],
            "ledger": [
                {"path": shown(line.path), "outcome": line.outcome, "reason": line.reason}
                for line in extraction.ledger
            ],
            "dimension": self.dimension,
            "seconds": round(extraction.seconds, 3),
            "startup_seconds": round(extraction.startup_seconds, 3),
            "images_per_second": None if rate is None else round(rate, 1),
            "milliseconds": self.milliseconds,
            "backend": source.execution.backend,
            "engine": extraction.engine,
            "device": extraction.device,
            "precision": source.spec.precision,
            "batch_size": source.plan.batch_size,
            "workers": source.plan.workers,
            "spec": {"id": source.spec.id, **asdict(source.spec)},
            "cache": place_of(source.cache),
        }


def extract_dataset(
    dataset: Dataset,
    source: FeatureSource,
    out: Path | None = None,
    max_failures: str | None = None,
) -> FeatureRun:
    """Make sure that the cache holds a dataset's features; write them to a file, too, if wanted.

    Parameters
    ----------
    dataset : Dataset
        Labels may be missing.
    source : FeatureSource
        What to extract, and how.
    out : Path, optional
        File for one portable table, see :func:`headstart.extract.portable_table.write_table`.
    max_failures : str, optional
        What :meth:`FeatureRun.check` allows.

    Raises
    ------
    CacheError
        If the cache or the table cannot be written.
    OptionError
        If the limit of failures cannot be, or no table ends so.
    """
    if out is not None:
        check_table(out)
    run = extract_photographs(Photographs.of(dataset), source, max_failures)
    if out is not None:
        write_table(out, dataset, load_features(dataset.paths, source), source)
    return run


def extract_photographs(
    photographs: Photographs, source: FeatureSource, max_failures: str | None = None
) -> FeatureRun:
    """Make sure that the cache holds the features of images, however many, in little memory.

    Parameters
    ----------
    photographs : Photographs
        All, or a part.
    source, max_failures
        As those of :func:`extract_dataset`, as are the errors.
    """
    check_limit(max_failures)
    paths, store = photographs.paths, source.store()
    totals, warnings = Totals(several=len(paths) > BLOCK), [*photographs.warnings]
    for extraction, lines in ensure_in_blocks(paths, source, store, stage("extracting"), BLOCK):
        totals.add(extraction)
        warnings += [line for line in lines if line not in warnings]
    return FeatureRun(
        source, totals.finish(), totals.images, store.dimension, max_failures, warnings
    )
