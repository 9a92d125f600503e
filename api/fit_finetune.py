"""``headstart.fit_finetune``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from ..classify.finetune.documents import describe_search
from ..classify.finetune.run import NetworkRun, fit_network
from ..classify.finetune.settings import FineTuneSettings
from ..classify.statistics.metrics import FigureDocument
from ..extract.images.images import Dataset
from ..tables import TextTable
from ..text import parse_bytes
from .data import open_data, path_of
from .options import FeatureOptions, Place, Several, several, source_of
from .result import Block, Result, evaluation_cells

HEADER = ["model", "accuracy", "95 % interval", "macro-F1", "log loss", "seconds"]


@dataclass(frozen=True, repr=False)
class FineTuned(Result):
    """The fine-tuned network, beside the head that it started from."""

    run: NetworkRun

    @property
    def warnings(self) -> Sequence[str]:
        """What is worth telling, a line each."""
        return self.run.warnings

    def figures(self) -> dict[str, FigureDocument]:
        """Return every metric on the evaluation split, with its interval."""
        return self.run.figures()

    def to_dict(self) -> Mapping[str, Any]:
        """Return the ``fit finetune`` contract."""
        return {"version": 1, **self.run.record}

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return what is told of the head and of the network."""
        record, head = self.run.record, self.run.record["head"]
        fit = record["seconds"]["fit"]
        rows = (("head", head, head["seconds"]), ("finetune", record, fit))
        return [
            {"kind": kind, "model": of["model"], **of["evaluation"], "seconds": seconds}
            for kind, of, seconds in rows
        ]

    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints."""
        record = self.run.record
        head, against, evaluation = record["head"], record["against_head"], record["evaluation"]
        yield TextTable(
            HEADER,
            [
                [
                    f"{head['model']}, all frozen",
                    *evaluation_cells(head["evaluation"]),
                    f"{head['seconds']:.1f}",
                ],
                [
                    record["model"],
                    *evaluation_cells(evaluation),
                    f"{record['seconds']['fit']:.1f}",
                ],
            ],
        )
        yield (
            f"accuracy on the {evaluation['n']} images of the {evaluation['split']} split, used once"
        )
        low, high = (100 * bound for bound in against["difference_ci95"])
        yield (
            f"difference {100 * against['difference']:+.1f} points, 95 % interval {low:+.1f} to "
            f"{high:+.1f}, McNemar p = {against['mcnemar_p']:.2g}"
        )
        yield from describe_search(record["search"])
        moved = ", ".join(f"{name} {100 * share:.2g} %" for name, share in record["moved"].items())
        yield f"weights moved by: {moved}"
        if record["path"] is not None:
            yield f"saved: {record['path']}"
            yield f"model card: {record['card']}"


def fit_finetune(
    data: Place | Dataset,
    unfreeze: Several[str] = None,
    *,
    budget: str = "quick",
    start: Several[str] = None,
    batch_norm: Several[str] = None,
    learning_rate: Several[float] = None,
    augment: Several[str] = None,
    layer_decay: float | None = None,
    epochs: int | None = None,
    weight_decay: float = 1e-4,
    label_smoothing: float = 0.0,
    folds: int = 1,
    images_per_step: int = 32,
    augment_views: int = 4,
    cache_budget: str | None = None,
    memory_budget: str | None = None,
    resume: bool = False,
    seed: int = 0,
    out: Place | None = None,
    license: str | None = None,
    columns: str | None = None,
    max_failures: str | None = None,
    embed: bool = False,
    **options: Unpack[FeatureOptions],
) -> FineTuned:
    """Fine-tune a backbone: search how on held-out images, train on all, evaluate once.

    Parameters
    ----------
    data, out, license, columns, max_failures, embed, **options
        As those of :func:`headstart.fit_head`.
    unfreeze, start, batch_norm, learning_rate, augment, layer_decay
        What the search may choose among, one or several of each, its own where None; these, and
        those that follow, are those of
        :class:`headstart.classify.finetune.settings.FineTuneSettings`.
    budget, epochs, weight_decay, label_smoothing, folds, augment_views, resume, seed
        What it may cost, and how it trains.
    images_per_step : int
        Images a training step.
    cache_budget, memory_budget : str, optional
        Disk and memory for activations, such as ``"8GB"``; half of what is free when None.

    Returns
    -------
    FineTuned
        Prints as a table: the head, the network, their difference, what was tried.

    Raises
    ------
    DataError
        If the dataset cannot be used, or too many images failed.
    OptionError
        If a name or value is unknown.
    TrainingError
        If training diverged; the message names the file with the best weights.

    Examples
    --------
    >>> import headstart
    >>> tuned = headstart.fit_finetune(
    ...     "photographs", "1", start="head", learning_rate=1e-4, augment="none", epochs=1,
    ...     batch_norm="frozen", layer_decay=1.0, input_size=96,
    ... )
    >>> tuned.to_frame()["kind"].to_list()
    ['head', 'finetune']
    """
    settings = FineTuneSettings(
        unfreeze=several(unfreeze),
        start=several(start),
        batch_norm=several(batch_norm),
        learning_rate=several(learning_rate),
        augment=several(augment),
        layer_decay=layer_decay,
        epochs=epochs,
        folds=folds,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        batch_size=images_per_step,
        augment_views=augment_views,
        budget=budget,
        cache_budget=None if cache_budget is None else parse_bytes(cache_budget),
        memory_budget=None if memory_budget is None else parse_bytes(memory_budget),
        resume=resume,
        seed=seed,
    )
    dataset = open_data(data, columns)
    source = source_of(options, dataset)
    run = fit_network(dataset, source, settings, path_of(out), license, max_failures, embed=embed)
    return FineTuned(run)
