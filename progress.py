"""How far a run is, and what will take a while: said by library code, shown by whoever listens.

As with ``logging``, whose ``headstart`` logger is told, too, code says it to nobody in particular, from whatever thread it runs in, and
nobody hears it unless a listener is installed. A listener hears all threads of its process; other
processes (a cluster's workers, joblib's) have none, and what started them tells of them.

Examples
--------
>>> from headstart.console import stages
>>> with stages():
...     pass  # whatever runs here shows its progress on standard error
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Protocol, TypeVar


class Tell(Protocol):
    """Where a stage's progress goes: how much is done, of how much, and a few words."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Show it."""


class Listener(Protocol):
    """Whoever shows progress; called from any thread."""

    def stage(self, name: str) -> Tell:
        """Begin a stage; return where its progress goes."""
        ...

    def note(self, line: str) -> None:
        """Take a line about what will take a while."""
        ...


_logger = logging.getLogger("headstart")
L = TypeVar("L", bound=Listener)

# Of the process and not of a context: threads of pools, which have contexts of their own, are heard.
_listeners: list[Listener] = []  # the innermost is last, and hears alone


def silent(done: int, total: int, note: str = "") -> None:
    """Take a stage's progress and show nothing."""
    del done, total, note


def stage(name: str) -> Tell:
    """Begin a stage; return the function that takes ``(done, total)`` and perhaps a few words."""
    _logger.debug("%s", name)
    for listener in _listeners[-1:]:
        return listener.stage(name)
    return silent


def note(line: str) -> None:
    """Say, in a line, what will take a while."""
    _logger.info("%s", line)
    for listener in _listeners[-1:]:
        listener.note(line)


@contextlib.contextmanager
def heard_by(listener: L) -> Iterator[L]:
    """Have a listener hear, in place of others, what is said while the block runs.

    Examples
    --------
    >>> class Lines:
    ...     def stage(self, name):
    ...         return lambda done, total, note="": print(f"{name}: {done}/{total}")
    ...
    ...     def note(self, line):
    ...         print(line)
    >>> with heard_by(Lines()):
    ...     stage("extracting")(3, 10)
    extracting: 3/10
    """
    _listeners.append(listener)
    try:
        yield listener
    finally:
        # By identity, and the last such: blocks of two threads need not end in order.
        last = max(i for i, known in enumerate(_listeners) if known is listener)
        del _listeners[last]


class _Counted:
    """Passes everything on, with a prefix before each stage's name."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._outer = _listeners[-1]

    def stage(self, name: str) -> Tell:
        return self._outer.stage(f"{self._prefix} {name}")

    def note(self, line: str) -> None:
        self._outer.note(line)


@contextlib.contextmanager
def counted(prefix: str) -> Iterator[None]:
    """Put a prefix such as ``"2/5"`` before the names of the stages that begin in the block."""
    if not _listeners:
        yield
        return
    with heard_by(_Counted(prefix)):
        yield
