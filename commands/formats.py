"""Predictions as a table, CSV, JSON lines or one JSON document."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import OptionError, unknown
from ..text import shown
from .asking import give

if TYPE_CHECKING:
    from ..classify.heads.abstention import CoveragePoint
    from ..classify.predict.predict import Prediction
    from ..extract.ledger import Failure


class Output:
    """Takes predictions and failures as they come; some formats print at the end.

    Parameters
    ----------
    top : int
        Classes to name an image.
    """

    streams = False  # whether rows are printed as they come

    def __init__(self, top: int) -> None:
        self.top = top
        self.labelled = 0
        self.failures: list[Failure] = []

    def begin(self) -> None:
        """Print what stands before all rows."""

    def take(self, answer: Prediction | Failure) -> None:
        """Count one answer, and print it where rows are printed as they come."""
        from ..extract.ledger import Failure

        if isinstance(answer, Failure):
            self.failures.append(answer)
            self.failure(answer)
            return
        self.labelled += 1
        self.prediction(answer)

    def nothing(self) -> str:
        """Say that not one image could be labelled, and why the first could not."""
        return f"none of the {len(self.failures)} images could be labelled; {self.failures[0]}"

    def prediction(self, prediction: Prediction) -> None:
        """Print or keep what is said of one image."""
        raise NotImplementedError

    def failure(self, failure: Failure) -> None:
        """Print or keep what went wrong with one image; the command lists them too."""

    def finish(self, promise: CoveragePoint | None) -> None:
        """Print what was kept."""


class WholeOutput(Output):
    """Keeps what comes, and prints all of it at the end."""

    as_json = False

    def __init__(self, top: int) -> None:
        super().__init__(top)
        self._predictions: list[Prediction] = []

    def prediction(self, prediction: Prediction) -> None:
        """Keep it."""
        self._predictions.append(prediction)

    def finish(self, promise: CoveragePoint | None) -> None:
        """Print the table, or the document."""
        from ..api.predict import Predicted

        predicted = Predicted(self._predictions, self.failures, promise, [])
        give(predicted, as_json=self.as_json, quiet=True)


class JsonOutput(WholeOutput):
    """One document."""

    as_json = True


class CsvOutput(Output):
    """A row an image as it comes; failed images are on standard error alone."""

    streams = True

    def __init__(self, top: int) -> None:
        super().__init__(top)
        self._writer = csv.writer(sys.stdout, lineterminator="\n")

    def begin(self) -> None:
        """Print the names of the columns."""
        from ..classify.predict.parts import header

        self._writer.writerow(header(self.top))

    def prediction(self, prediction: Prediction) -> None:
        """Print a row."""
        from ..classify.predict.parts import csv_cells, row

        self._writer.writerow(csv_cells(row(prediction, self.top)))
        sys.stdout.flush()


class JsonLinesOutput(Output):
    """An object an image as it comes; failed ones have an ``error``."""

    streams = True

    def prediction(self, prediction: Prediction) -> None:
        """Print a line."""
        _print_line(prediction.to_dict())

    def failure(self, failure: Failure) -> None:
        """Print a line."""
        _print_line({"path": shown(failure.path), "error": failure.reason})


FORMATS: dict[str, type[Output]] = {
    "table": WholeOutput,
    "csv": CsvOutput,
    "jsonl": JsonLinesOutput,
    "json": JsonOutput,
}


def find_format(name: str, *, as_json: bool) -> type[Output]:
    """Return what ``--format`` or ``--json`` asks for.

    Raises
    ------
    OptionError
        If it is unknown, or both ask for something.
    """
    if name not in FORMATS:
        raise unknown("format", name, list(FORMATS))
    if as_json and name not in {"table", "json"}:
        raise OptionError(f"--json and --format {name} are two formats: take one")
    return FORMATS["json" if as_json else name]


def _print_line(document: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()
