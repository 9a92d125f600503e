"""``headstart.rank``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from ..cache import default_cache
from ..classify.fit.rank import (
    FeatureDocument,
    PricedFeatures,
    PriceDocument,
    RankDocument,
    RankedFeatures,
)
from ..classify.fit.rank import rank as rank_features
from ..classify.statistics.metrics import METRICS
from ..extract.images.images import Dataset
from ..tables import TextTable
from ..text import shown
from .data import open_data
from .options import Place, RecipeOptions, Several, execution_of, networks, several, source_of
from .result import Block, Result


@dataclass(frozen=True, repr=False)
class Ranking(Result):
    """Features that are cached, the best first; those that are not, the cheapest first."""

    document: RankDocument
    data: str  # as it was named, for the commands that follow

    def to_dict(self) -> RankDocument:
        """Return the ``fit rank`` contract."""
        return self.document

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return the features, those that are cached first."""
        return [*self.document["ranked"], *self.document["not_cached"]]

    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints."""
        results = self.document
        ranked, not_cached = results["ranked"], results["not_cached"]
        if ranked:
            yield TextTable(
                [
                    "features",
                    "images",
                    "logreg, out of fold",
                    "95 % interval",
                    "an image",
                    "to extract",
                ],
                [_ranked_row(row) for row in ranked],
            )
            command = " ".join(["headstart fit head", self.data, *ranked[0]["options"]])
            yield (
                f"a screening on {results['images']:,} of {results['training_images']:,} training "
                f"images: '{command}' decides"
            )
        else:
            yield "nothing that is cached can be ranked on these images"
        if not_cached:
            yield "\nnot cached, the quickest first:"
            yield TextTable(
                ["features", "images", "multiply-adds", "to extract", "timed on"],
                [_price_row(row) for row in not_cached],
            )
            options = " ".join(not_cached[0]["options"])
            yield f"next: headstart extract features {self.data} {options}".rstrip()


def _ranked_row(row: RankedFeatures) -> list[str]:
    accuracy = METRICS["accuracy"]
    return [
        _name(row),
        f"{row['images']:,}",
        accuracy.text(row["accuracy"]),
        accuracy.range(row["ci95"]),
        "–" if row["seconds_an_image"] is None else f"{1000 * row['seconds_an_image']:,.1f} ms",
        _seconds(row),
    ]


def _price_row(row: PricedFeatures) -> list[str]:
    return [
        _name(row),
        f"{row['missing_images']:,}",
        f"{row['multiply_adds']:.3g} G",
        _seconds(row),
        row["timed"] or "–",
    ]


def _name(row: FeatureDocument) -> str:
    """Return the backbone, a file's by its name, and the options that make these features of it."""
    options = row["options"]
    if "--backbone" not in options:
        return " ".join([row["backbone"], *options])
    _, named, *others = options
    return " ".join([Path(named).name, *others])


def _seconds(row: PriceDocument) -> str:
    if row["seconds"] is None:
        return "–"
    return f"{row['seconds']:,.1f} s" if row["missing_images"] else "cached"


def rank(
    data: Place | Dataset,
    images: int = 500,
    *,
    measure: bool = False,
    seed: int = 0,
    columns: str | None = None,
    backbone: Several[str] = None,
    weights: Several[Place] = None,
    **options: Unpack[RecipeOptions],
) -> Ranking:
    """Rank cached features by logreg's accuracy on a few images, and price what is not cached.

    Parameters
    ----------
    data, columns
        As those of :func:`headstart.fit_head`.
    images : int
        Training images to score on, at most.
    measure : bool
        Time each backbone that is not cached, instead of scaling a timed one by multiply-adds.
    seed : int
        Draws the images and the folds.
    backbone : str or sequence of str, optional
        Rank these alone; what the cache lacks of the images is extracted, nothing else.
    weights : str, path or sequence of them, optional
        ``"imagenet"`` or a weights file for each backbone.
    **options
        Layers, cache and more, see :class:`headstart.api.options.RecipeOptions`.

    Returns
    -------
    Ranking
        Prints as two tables.

    Raises
    ------
    DataError
        If the dataset cannot be used.

    Examples
    --------
    >>> import headstart
    >>> fitted = headstart.fit_head("photographs")
    >>> headstart.rank("photographs").to_dict()["ranked"][0]["backbone"]
    'mobilenet'
    """
    dataset = open_data(data, columns)
    place = execution_of({"cache": options.get("cache")}).cache or default_cache()
    named = networks(several(backbone), several(weights), options)
    sources = [source_of(network, dataset) for network in named]
    ranked = rank_features(dataset, place, images, seed, measure=measure, sources=sources)
    return Ranking(ranked, shown(dataset.root if isinstance(data, Dataset) else data))
