"""``headstart.extract_features``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

from ..cache import place_of
from ..extract.feature_run import (
    FeatureRun,
    FeaturesDocument,
    extract_dataset,
    extract_photographs,
)
from ..extract.images.images import Dataset
from ..extract.photographs import read_part
from .data import open_data, open_photographs, path_of
from .options import FeatureOptions, Place, source_of
from .result import Block, Result


@dataclass(frozen=True, repr=False)
class Extracted(Result):
    """What became of each image."""

    run: FeatureRun

    @property
    def warnings(self) -> Sequence[str]:
        """What is worth telling, a line each."""
        return self.run.warnings

    def check(self) -> None:
        """Check that no more images failed than may.

        Raises
        ------
        DataError
            If more than ``max_failures`` did.
        """
        self.run.check()

    def to_dict(self) -> FeaturesDocument:
        """Return the ``extract features`` contract."""
        return self.run.to_document()

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return the images, and what became of each; none of more than 65,536 images."""
        return self.to_dict()["ledger"]

    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints."""
        run, extraction, plan = self.run, self.run.extraction, self.run.source.plan
        yield (
            f"{run.images:,} images: {extraction.extracted:,} extracted, "
            f"{extraction.reused:,} reused, {extraction.duplicates:,} duplicates, "
            f"{len(extraction.failures):,} failed"
        )
        speed = f" ({run.images_per_second:.0f} images/s)" if run.images_per_second else ""
        yield f"{run.dimension or 0:,} features an image, {extraction.seconds:.1f} s{speed}"
        if extraction.engine:
            yield (
                f"{extraction.engine} on the {extraction.device}, {plan.precision}, "
                f"{_count(plan.workers, 'worker')}, {_count(plan.batch_size, 'image')} a batch"
            )
        yield f"cache: {place_of(run.source.store().folder)}"
        for failure in extraction.failures:
            yield f"failed: {failure}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def extract_features(
    data: Place | Dataset,
    *,
    out: Place | None = None,
    columns: str | None = None,
    max_failures: str | None = None,
    part: str | None = None,
    **options: Unpack[FeatureOptions],
) -> Extracted:
    """Run a frozen backbone once over every image and cache its features.

    Parameters
    ----------
    data, columns, **options
        As those of :func:`headstart.fit_head`; labels may be missing.
    out : path, optional
        File for one portable table: ``.h5``, ``.parquet`` or ``.npz``.
    max_failures : str, optional
        What ``check()`` allows.
    part : str, optional
        ``"I/N"``: this one of N parts of the images alone.

    Returns
    -------
    Extracted
        Prints the counts; ``to_frame()`` has a row for each image.

    Raises
    ------
    CacheError
        If the cache or the table cannot be written.
    DataError
        If the dataset cannot be used.
    OptionError
        If a name or value is unknown.

    Examples
    --------
    >>> import headstart
    >>> extracted = headstart.extract_features("photographs", out="features.npz")
    >>> extracted.to_dict()["images"]
    30
    """
    wanted = None if part is None else read_part(part)
    # A network in 8 bits is calibrated on images of the training split: a table tells which.
    eight_bits = options.get("precision") == "int8"
    if out is None and not isinstance(data, Dataset) and not eight_bits:
        photographs = open_photographs(data, columns)
        source = source_of(options, photographs)  # of all, so that the parts agree
        if wanted is not None:
            photographs = photographs.part(wanted)
        return Extracted(extract_photographs(photographs, source, max_failures))
    dataset = open_data(data, columns, needs_labels=False)
    source = source_of(options, dataset)
    if wanted is not None:
        held = [image for image in dataset.images if wanted.holds(image.path)]
        dataset = replace(dataset, images=held)
    return Extracted(extract_dataset(dataset, source, path_of(out), max_failures))
