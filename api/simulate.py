"""``headstart.simulate``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from ..classify.data.collection import load_collection
from ..classify.label.simulate import NeededDocument, SimulationDocument
from ..classify.label.simulate import simulate as simulate_labelling
from ..classify.statistics.metrics import METRICS
from ..extract.images.images import Dataset
from ..tables import TextTable
from .data import open_data
from .options import FeatureOptions, Place, source_of
from .result import Block, Result


@dataclass(frozen=True, repr=False)
class Simulated(Result):
    """Accuracy by number of labels, in the page's order and in random order."""

    document: SimulationDocument

    def to_dict(self) -> SimulationDocument:
        """Return the contract of ``label --simulate --json``."""
        return self.document

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return the points of both curves."""
        return [
            {"order": strategy["name"], **point}
            for strategy in self.document["strategies"]
            for point in strategy["points"]
        ]

    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints."""
        document, accuracy = self.document, METRICS["accuracy"]
        for strategy in document["strategies"]:
            yield f"{strategy['name']} order"
            yield TextTable(
                ["labels", "accuracy", "95 % interval"],
                [
                    [
                        str(point["labels"]),
                        accuracy.text(point["accuracy"]),
                        accuracy.range(point["ci95"]),
                    ]
                    for point in strategy["points"]
                ],
            )
        evaluation, goal = document["evaluation"], document["goal"]
        yield (
            f"{document['pool']:,} photographs to label, evaluated on the {evaluation['n']:,} of "
            f"the {evaluation['split']} split; means of {document['seeds']} runs"
        )
        for strategy in document["strategies"]:
            if goal is not None and strategy["needed"] is not None:
                needed = _needed(strategy["needed"])
                yield f"{strategy['name']}: labels to reach {100 * goal:g} %: {needed}"
        if document["fewer"] is not None and document["fewer"]["mean"] is not None:
            yield f"chosen by random, pairs of one seed: {_needed(document['fewer'], 2)}"


def _needed(needed: NeededDocument, digits: int = 0) -> str:
    if needed["mean"] is None:
        return f"not reached by all ({needed['by_seed']})"
    if needed["ci95"] is None:
        return f"{needed['mean']:.{digits}f}"
    low, high = needed["ci95"]
    return f"{needed['mean']:.{digits}f} (95 % interval {low:.{digits}f} to {high:.{digits}f})"


def simulate(
    data: Place | Dataset,
    *,
    seeds: int = 5,
    labels: int = 300,
    goal: float | None = None,
    columns: str | None = None,
    max_failures: str | None = None,
    **options: Unpack[FeatureOptions],
) -> Simulated:
    """Let known labels answer for a person, and count them: ``label --simulate``.

    Parameters
    ----------
    data, columns, max_failures, **options
        As those of :func:`headstart.fit_head`; every photograph has a label.
    seeds : int
        Runs of each order.
    labels : int
        Labels given at most.
    goal : float, optional
        An accuracy, 0 to 1: how many labels reach it?

    Returns
    -------
    Simulated
        Prints as two tables; ``to_frame()`` has a row for each order and number of labels.

    Raises
    ------
    DataError
        If a label is missing, or the dataset cannot be used.

    Examples
    --------
    >>> import headstart
    >>> frame = headstart.simulate("photographs", seeds=1, labels=10).to_frame()
    >>> frame["order"].to_list()
    ['chosen', 'random']
    """
    dataset = open_data(data, columns, needs_labels=False)
    collection = load_collection(dataset, source_of(options, dataset), max_failures)
    return Simulated(simulate_labelling(collection, seeds, labels, goal))
