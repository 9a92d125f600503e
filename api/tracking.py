"""What was found, for an experiment tracker: parameters, figures, the report."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import HeadstartError, OptionError, first_line, unknown
from ..storage import replacing

_UNUSUAL = re.compile(r"[^\w/. :-]")  # what MLflow takes in no name


@dataclass(frozen=True)
class Entry:
    """A run, as trackers keep one."""

    name: str
    parameters: Mapping[str, str]
    figures: Mapping[str, float]
    files: Mapping[str, str]  # name → text


@dataclass(frozen=True)
class Tracker:
    """Where an entry goes."""

    name: str  # a key of TRACKERS
    place: str | None  # its server or folder; its own default when None

    def __str__(self) -> str:
        return self.name if self.place is None else f"{self.name}:{self.place}"

    def keep(self, entry: Entry) -> None:
        """Write an entry.

        Raises
        ------
        HeadstartError
            If the tracker refuses it.
        """
        try:
            TRACKERS[self.name](self.place, entry)
        except Exception as error:  # a server's, a disk's: each library has its own
            raise HeadstartError(f"cannot track with {self.name}: {first_line(error)}") from error


def find_tracker(text: str) -> Tracker:
    """Read the name of a tracker, perhaps with its place behind a colon.

    Raises
    ------
    OptionError
        If there is no such tracker, or its library is not installed.

    Examples
    --------
    >>> find_tracker("wandb")
    Traceback (most recent call last):
    ...
    headstart.errors.OptionError: unknown tracker 'wandb'; valid: mlflow, tensorboard
    """
    name, _, place = text.partition(":")
    if name not in TRACKERS:
        raise unknown("tracker", name, list(TRACKERS))
    if find_spec(name) is None:
        raise OptionError(f"--track {name} needs {name}: pip install 'headstart[{name}]'")
    return Tracker(name, place or None)


def flat(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the figures and names of a record; what has a length of its own is left out.

    Examples
    --------
    >>> dict(flat({"model": "ridge", "evaluation": {"accuracy": 0.9, "ci95": [0.8, 1.0]}}))
    {'model': 'ridge', 'evaluation_accuracy': 0.9, 'evaluation_ci95_low': 0.8, 'evaluation_ci95_high': 1.0}
    """
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}_")
        elif key.endswith("ci95") and value is not None:
            yield from zip((f"{prefix}{key}_low", f"{prefix}{key}_high"), value, strict=True)
        elif not isinstance(value, list):
            yield f"{prefix}{key}", value


def figures_of(records: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    """Yield the numbers of records, each behind the first name in its record, or the record's number.

    Examples
    --------
    >>> list(figures_of([{"figure": "accuracy", "value": 0.9}]))
    [('accuracy/value', 0.9)]
    """
    for number, record in enumerate(records):
        cells = dict(flat(record))
        first = next((cell for cell in cells.values() if isinstance(cell, str)), number)
        for key, value in cells.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield _UNUSUAL.sub("_", f"{first}/{key}"), float(value)


def _mlflow(place: str | None, entry: Entry) -> None:
    """Log a run; the server is that of ``MLFLOW_TRACKING_URI`` where none is named."""
    import mlflow

    if place is not None:
        mlflow.set_tracking_uri(place)
    with mlflow.start_run(run_name=entry.name, nested=True):
        mlflow.log_params(entry.parameters)
        mlflow.log_metrics(entry.figures)
        for name, text in entry.files.items():
            mlflow.log_text(text, name)


def _tensorboard(place: str | None, entry: Entry) -> None:
    """Write a run's folder: events, and the files beside them."""
    from tensorboard.plugins.hparams import api as hparams

    from ..extract.backbone.loading import load_tensorflow

    tf = load_tensorflow()
    folder = Path(place or "runs") / f"{time.strftime('%Y%m%d-%H%M%S')}-{entry.name}"
    with tf.summary.create_file_writer(str(folder)).as_default():
        hparams.hparams(dict(entry.parameters))
        for name, value in entry.figures.items():
            tf.summary.scalar(name, value, step=0)
    for name, text in entry.files.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


# Name, which is also that of its library and of its extra → what writes an entry.
TRACKERS: dict[str, Callable[[str | None, Entry], None]] = {
    "mlflow": _mlflow,
    "tensorboard": _tensorboard,
}
