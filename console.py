"""Progress, tables and plain lines for a person at a terminal."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from .progress import Tell, heard_by, silent
from .tables import TextTable

PLAIN_SECONDS = 5.0  # between two lines of progress where there is no terminal

# A pipe has no width: lines and tables are as long as they are.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 1000)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class _Rate(ProgressColumn):
    """Things a second, over the whole task."""

    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text(f"{rate:,.0f}/s" if rate else "", style="progress.data.speed")


class Stages:
    """Shows one stage after the other on standard error.

    Parameters
    ----------
    quiet : bool
        Show nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._bars: Progress | None = None
        self._plain = not quiet and not err.is_terminal
        if not quiet and err.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                _Rate(),
                TimeRemainingColumn(),
                console=err,
                redirect_stdout=False,  # rows on standard output stay there
            )

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def stage(self, name: str) -> Tell:
        """Begin a stage; return the function that takes ``(done, total)``."""
        if self._bars is not None:
            return self._bar(self._bars, name)
        if self._plain:
            return _plain_lines(name)
        return silent

    def note(self, line: str) -> None:
        """Print a line between the bars."""
        if self._bars is not None or self._plain:
            err.print(line, markup=False)

    @staticmethod
    def _bar(bars: Progress, name: str) -> Tell:
        for earlier in bars.tasks:
            bars.stop_task(earlier.id)
        task = bars.add_task(name, total=None)

        def tell(done: int, total: int, note: str = "") -> None:
            words = f"{name}: {note}" if note else name
            bars.update(task, completed=done, total=total, description=words)

        return tell


def _plain_lines(name: str) -> Tell:
    begin = last = time.monotonic()
    first: int | None = None
    err.print(name, markup=False)

    def tell(done: int, total: int, note: str = "") -> None:
        nonlocal last, first
        now = time.monotonic()
        first = done if first is None else first
        if now - last < PLAIN_SECONDS and done < total:
            return
        if done >= total and first >= total:
            return  # all of it was there already
        last = now
        rate = (done - first) / max(now - begin, 1e-9)
        left = f", {(total - done) / rate:.0f} s left" if rate and done < total else ""
        words = f", {note}" if note else ""
        err.print(f"{name}: {done}/{total}, {rate:.1f}/s{left}{words}", markup=False)

    return tell


def print_json(document: Mapping[str, Any]) -> None:
    """Print exactly one JSON document on standard output."""
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on standard output, within the terminal's width."""
    show([TextTable(columns, rows)])


def show(blocks: Iterable[str | TextTable]) -> None:
    """Print lines and tables on standard output, within the terminal's width."""
    for block in blocks:
        if isinstance(block, str):
            say(block)
        else:
            _show_table(block)


def _show_table(table: TextTable) -> None:
    for number, part in enumerate(table.fitted(out.width)):
        header, *lines = part.lines()
        out.print(Text(header if number == 0 else f"\n{header}", style="bold"))
        for line in lines:
            out.print(Text(line))


def say(line: str) -> None:
    """Print one plain line on standard output."""
    out.print(line, markup=False)


def warn(line: str) -> None:
    """Print one warning on standard error."""
    err.print(Text.assemble(("warning: ", "yellow"), line))


def warn_all(lines: Iterable[str], *, quiet: bool) -> None:
    """Print warnings on standard error, unless nobody wants to hear them."""
    if not quiet:
        for line in lines:
            warn(line)


def remark(line: str) -> None:
    """Print one plain line on standard error."""
    err.print(line, markup=False)


def fail(line: str) -> None:
    """Print an expected error: one line on standard error."""
    err.print(Text.assemble(("error: ", "bold red"), " ".join(line.splitlines())))


@contextlib.contextmanager
def stages(*, quiet: bool = False) -> Iterator[None]:
    """Show on standard error, while the block runs, how far everything in it is.

    Examples
    --------
    >>> with stages(quiet=True):
    ...     pass
    """
    with Stages(quiet=quiet) as shown, heard_by(shown):
        yield
