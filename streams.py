"""Standard input, output and error as they may be: closed, full, or not in UTF-8."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO

from .errors import HeadstartError


class OutputError(HeadstartError):
    """Standard output takes no more; the message says why."""


def open_streams() -> None:
    """Make the three streams safe to use, whatever the shell has handed over.

    A path may hold bytes that are no text: they are printed as escapes. What cannot be said on
    standard error is lost, since there is nowhere to say so. Standard input that is closed is
    empty.

    Raises
    ------
    OutputError
        If standard output is closed: results would be lost.
    """
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 (for the whole run)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (as above)
    else:
        sys.stderr = _rewrapped(sys.stderr, _Forgiving)
    if sys.stdout is None:
        # In its place, or the next file to be opened would be taken for standard output.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (as above)
        raise OutputError(
            "standard output is closed, and results go there: open it, or send it to /dev/null"
        )
    sys.stdout = _rewrapped(sys.stdout, _Strict)


def _rewrapped(stream: TextIO, kind: type[_Rewrapped]) -> TextIO:
    """Return the interpreter's own stream as another kind; one that a caller put there stays."""
    if type(stream) is io.TextIOWrapper:
        return kind(stream)
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


class _Rewrapped(io.TextIOWrapper):
    """Takes the place of a standard stream, on the same buffer."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        encoding, buffered = stream.encoding, stream.line_buffering
        super().__init__(
            stream.detach(), encoding, errors="backslashreplace", line_buffering=buffered
        )


class _Forgiving(_Rewrapped):
    """Loses what cannot be written."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            _give_up(self)


class _Strict(_Rewrapped):
    """Says in one line what cannot be written; a reader that has left is not an error."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._refused(error) from error

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> OutputError:
        _give_up(self)
        return OutputError(f"cannot write to standard output: {error.strerror}")


def _give_up(stream: io.TextIOWrapper) -> None:
    """Send what is left, and what follows, nowhere: Python flushes once more at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
