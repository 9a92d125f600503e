"""Signals: a wish to stop waits until the work in flight is safe."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

# The last is a terminal that is gone; Windows has none.
SIGNALS = tuple(getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n))


class Stopped(BaseException):
    """A signal ended the run.

    Not a KeyboardInterrupt, which libraries on the way turn into endings of their own.

    Parameters
    ----------
    number : int
        The signal.
    message : str
        What is done and how to go on.
    """

    def __init__(self, number: int, message: str = "") -> None:
        self.number = number
        super().__init__(message)


@dataclass
class Shelter:
    """Work that a signal does not break: ``wanted`` is the signal that asked to stop, or None."""

    wanted: int | None = None


_open: list[Shelter] = []  # of the main thread, the only one that signals reach; innermost last


@contextlib.contextmanager
def sheltered() -> Iterator[Shelter]:
    """Turn signals into a wish for as long as the block runs; a second signal breaks it.

    Works where :func:`signals_stop` is in force. Elsewhere, in another thread or in a
    program of its own, signals do what they always did.
    """
    shelter = Shelter()
    if threading.current_thread() is not threading.main_thread():
        yield shelter
        return
    _open.append(shelter)
    try:
        yield shelter
    finally:
        _open.remove(shelter)


@contextlib.contextmanager
def signals_stop(tell: Callable[[], None]) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP raise :class:`Stopped`, or wait where work is sheltered.

    What whoever started us wants ignored (``nohup``, a job in the background) stays ignored.

    Parameters
    ----------
    tell : callable
        Called when a signal is made to wait.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        if _open and _open[-1].wanted is None:
            _open[-1].wanted = number
            with contextlib.suppress(OSError):  # nobody listens any more
                tell()
        else:
            raise Stopped(number)

    heeded = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
