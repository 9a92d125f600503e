"""What every function of the API returns: it prints as the command does, and is a table."""

from __future__ import annotations

import html
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..classify.statistics.metrics import METRICS
from ..errors import HeadstartError
from ..tables import TextTable

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
    @abstractmethod
    def warnings(self) -> Sequence[str]:
        """What is worth telling, a line each."""

    @abstractmethod
    def to_dict(self) -> Mapping[str, Any]:
        """Return the contract of the command's ``--json``."""

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints: lines and tables."""

    @abstractmethod
    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return what :meth:`to_frame` has a row of, each."""

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
        return pd.DataFrame([dict(_flat(record)) for record in self.records()])

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


def _flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the figures and names of a record; what has a length of its own is left out."""
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}_")
        elif key.endswith("ci95") and value is not None:
            yield from zip((f"{prefix}{key}_low", f"{prefix}{key}_high"), value, strict=True)
        elif not isinstance(value, list):
            yield f"{prefix}{key}", value
