"""What every function of the API returns: it prints as the command does, and is a table."""

from __future__ import annotations

import html
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..classify.statistics.metrics import METRICS
from ..errors import HeadstartError
from ..tables import TextTable
from .tracking import Entry, Tracker, figures_of, find_tracker, flat

WIDTH = 100  # columns of print(result)
Block = str | TextTable  # a line, or a table


class Result(ABC):
    """What was found, with what is worth telling of it.

    ``print`` shows what the command prints, a notebook the same as HTML, :meth:`to_dict` is the
    command's ``--json`` and :meth:`to_frame` a table of its figures.
    """

    def __post_init__(self) -> None:
        for line in self.warnings:
            logging.getLogger("headstart").warning("%s", line)

    @property
    def warnings(self) -> Sequence[str]:
        """What is worth telling, a line each; images that could not be read are there."""
        lines: Sequence[str] = self.to_dict().get("warnings", ())
        return lines

    @abstractmethod
    def to_dict(self) -> Mapping[str, Any]:
        """Return the contract of the command's ``--json``."""

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints: lines and tables."""

    @abstractmethod
    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return what :meth:`to_frame` has a row of, each."""

    def check(self) -> None:  # noqa: B027 - most results are one in any case
        """Check that it is what was asked for; the command exits 1 where it is not.

        Raises
        ------
        HeadstartError
            If too many images failed.
        """

    def to_frame(self) -> Any:
        """Return a ``pandas.DataFrame``: figures as numbers, an interval as ``_low`` and ``_high``.

        Raises
        ------
        HeadstartError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            raise HeadstartError("to_frame needs pandas: pip install pandas") from error
        return pd.DataFrame([dict(flat(record)) for record in self.records()])

    def html(self) -> str:
        """Return the report as one page of HTML."""
        title = html.escape(type(self).__name__)
        return f'<!doctype html><meta charset="utf-8"><title>{title}</title>{self._repr_html_()}'

    def track(self, tracker: str | Tracker, parameters: Mapping[str, Any] | None = None) -> None:
        """Keep parameters, figures and the report with an experiment tracker.

        Parameters
        ----------
        tracker : str
            ``"mlflow"`` or ``"tensorboard"``, perhaps with a server or folder behind a colon:
            ``"tensorboard:runs"``.
        parameters : mapping, optional
            What the run was told.

        Raises
        ------
        OptionError
            If there is no such tracker, or its library is not installed.
        HeadstartError
            If the tracker refuses it.
        """
        found = find_tracker(tracker) if isinstance(tracker, str) else tracker
        told = {key: str(value) for key, value in (parameters or {}).items()}
        files = {"report.html": self.html(), "results.json": json.dumps(self.to_dict(), indent=1)}
        figures = dict(figures_of(self.records()))
        found.keep(Entry(type(self).__name__, told, figures, files))

    def __str__(self) -> str:
        lines: list[str] = []
        for block in self.blocks():
            lines += [block] if isinstance(block, str) else block.lines(WIDTH)
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts: list[str] = []
        for block in self.blocks():
            text = html.escape(block.strip()) if isinstance(block, str) else ""
            parts.append(f"<p>{text}</p>" if isinstance(block, str) else _table(block))
        return "\n".join(part for part in parts if part != "<p></p>")


def evaluation_cells(evaluation: Mapping[str, Any]) -> list[str]:
    """Return accuracy, its interval, macro-F1 and log loss, as tables of classifiers show them."""
    accuracy = METRICS["accuracy"]
    return [
        accuracy.text(evaluation["accuracy"]),
        accuracy.range(evaluation["ci95"]),
        f"{evaluation['macro_f1']:.3f}",
        f"{evaluation['log_loss']:.3f}",
    ]


def _table(table: TextTable) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        sides = ["left"] * table.texts + ["right"] * (len(cells) - table.texts)
        drawn = (
            f'<{tag} style="text-align: {side}">{html.escape(cell)}</{tag}>'
            for side, cell in zip(sides, cells, strict=True)
        )
        return f"<tr>{''.join(drawn)}</tr>"

    body = "".join(row(cells, "td") for cells in table.rows)
    return f"<table><thead>{row(table.columns, 'th')}</thead><tbody>{body}</tbody></table>"
