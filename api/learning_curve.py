"""``headstart.learning_curve``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from ..classify.fit import learning_curve as curves
from ..classify.statistics.metrics import METRICS
from ..extract.images.images import Dataset
from ..tables import TextTable
from .data import open_data
from .options import FeatureOptions, Place, source_of
from .result import Block, Result

HEADER = ["images a class", "images", "accuracy", "95 % interval", "subsets"]


@dataclass(frozen=True, repr=False)
class LearningCurve(Result):
    """Accuracy against images a class."""

    document: curves.LearningCurveDocument

    def to_dict(self) -> curves.LearningCurveDocument:
        """Return the ``fit learning-curve`` contract."""
        return self.document

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return the points."""
        return self.document["points"]

    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints."""
        curve, accuracy = self.document, METRICS["accuracy"]
        yield TextTable(
            HEADER,
            [
                [
                    f"{point['images_a_class']:.3g}",
                    f"{point['images']:,}",
                    accuracy.text(point["accuracy"]),
                    accuracy.range(point["ci95"]),
                    str(point["seeds"]),
                ]
                for point in curve["points"]
            ],
        )
        evaluation = curve["evaluation"]
        yield f"{curve['model']} on the {evaluation['n']} images of the {evaluation['split']} split"
        yield curve["conclusion"]


def learning_curve(
    data: Place | Dataset,
    model: str = "logreg",
    seeds: int = 5,
    *,
    seed: int = 0,
    columns: str | None = None,
    max_failures: str | None = None,
    **options: Unpack[FeatureOptions],
) -> LearningCurve:
    """Show accuracy against images a class, and what doubling the data would bring.

    Parameters
    ----------
    data, columns, max_failures, **options
        As those of :func:`headstart.fit_head`.
    model : str
        One head.
    seeds : int
        Subsets of each size; the largest is all images, once.
    seed : int
        The first of the seeds.

    Returns
    -------
    LearningCurve
        Prints as a table, a row for each size.

    Raises
    ------
    DataError, OptionError
        As :func:`headstart.fit_head`.

    Examples
    --------
    >>> import headstart
    >>> headstart.learning_curve("photographs", seeds=2).to_frame()["images"].to_list()
    [6, 12, 24]
    """
    dataset = open_data(data, columns)
    source = source_of(options, dataset)
    return LearningCurve(curves.learning_curve(dataset, source, model, seeds, seed, max_failures))
