"""``headstart.compare``."""

from __future__ import annotations

import functools
import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack

from ..classify.compare import approaches
from ..classify.compare import compare as protocol
from ..classify.compare.documents import Results
from ..classify.compare.report.page import page_text
from ..classify.compare.report.tables import table
from ..classify.compare.report.write import write_report
from ..classify.compare.run_all import Procedure
from ..classify.finetune.settings import FineTuneSettings
from ..extract.images.images import Dataset
from ..tables import TextTable
from .data import open_data, path_of
from .options import Place, RecipeOptions, Several, networks, several, source_of
from .result import Block, Result


@dataclass(frozen=True)
class Page:
    """The report's page; a notebook shows it inline."""

    html: str = field(repr=False)

    def _repr_html_(self) -> str:
        shown = html.escape(self.html)
        return f'<iframe srcdoc="{shown}" style="width: 100%; height: 40rem; border: 0"></iframe>'


@dataclass(frozen=True, repr=False)
class Compared(Result):
    """Heads on frozen features and the fine-tuned network, on the same images."""

    comparison: protocol.Comparison
    path: Path | None  # of the page, where a report was written

    def html(self) -> str:
        """Return the report as one page of HTML."""
        return page_text(self.comparison)

    def report(self) -> Page:
        """Return the report's page, which a notebook shows inline."""
        return Page(self.html())

    def to_dict(self) -> Results:
        """Return ``results.json``."""
        return self.comparison.results

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return the approaches."""
        return [dict(approach) for approach in self.to_dict()["approaches"]]

    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints."""
        results = self.to_dict()
        header, *rows = table(results)
        yield TextTable(header, rows)
        yield ""
        yield results["verdict"]
        reused = sum(approach["reused"] for approach in results["approaches"])
        if reused:
            count = len(results["approaches"])
            yield f"{reused} of {count} were computed before (--recompute: again)"
        if self.path is not None:
            yield f"report: {self.path}"


def compare(
    data: Place | Dataset,
    model: Several[str] = ("auto", "dense"),
    *,
    backbone: Several[str] = "mobilenet",
    weights: Several[Place] = None,
    budget: str = "standard",
    unfreeze: Several[str] = None,
    start: Several[str] = None,
    batch_norm: Several[str] = None,
    learning_rate: Several[float] = None,
    epochs: int | None = None,
    repeats: int = 1,
    recompute: bool = False,
    seed: int = 0,
    out: Place | None = None,
    columns: str | None = None,
    max_failures: str | None = None,
    command: str = "headstart.compare",
    **options: Unpack[RecipeOptions],
) -> Compared:
    """Compare heads on frozen features with fine-tuning, and say which to use.

    Parameters
    ----------
    data, columns, max_failures, **options
        As those of :func:`headstart.fit_head`.
    model : str or sequence of str
        Heads to compare.
    backbone : str or sequence of str
        Networks to compare.
    weights : str, path or sequence of them, optional
        ``"imagenet"`` or a weights file for each backbone.
    budget, unfreeze, start, batch_norm, learning_rate, epochs
        Of fine-tuning, as those of :func:`headstart.fit_finetune`.
    repeats : int
        Splits to run on: the dataset's own, then stable resplits.
    recompute : bool
        Run again what was computed before.
    seed : int
        Seeds all that is random.
    out : path, optional
        Folder for the report; none is written when None.
    command : str
        What asked for it, for the record.

    Returns
    -------
    Compared
        Prints as a table with the verdict; ``report()`` is the page.

    Raises
    ------
    DataError
        If the dataset cannot be used, too many images failed or the report cannot be written.
    OptionError
        If a name or value is unknown.

    Examples
    --------
    >>> import headstart
    >>> compared = headstart.compare("photographs", model=["ridge", "centroid"])
    >>> compared.to_frame()["kind"].to_list()
    ['transfer', 'transfer', 'finetune']
    >>> compared.report()._repr_html_()[:7]
    '<iframe'
    """
    settings = FineTuneSettings(
        unfreeze=several(unfreeze),
        start=several(start),
        batch_norm=several(batch_norm),
        learning_rate=several(learning_rate),
        epochs=epochs,
        budget=budget,
        resume=not recompute,
        seed=seed,
    )
    named = networks(several(backbone), several(weights), options)
    dataset = open_data(data, columns)
    comparison = protocol.compare(
        dataset,
        [source_of(network, dataset) for network in named],
        [*several(model)],
        [functools.partial(approaches.finetune_approach, settings)],
        Procedure(seed, repeats, recompute),
        max_failures=max_failures,
        command=command,
    )
    folder = path_of(out)
    return Compared(comparison, None if folder is None else write_report(comparison, folder)[0])
