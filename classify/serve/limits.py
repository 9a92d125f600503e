"""What a client may ask for, and what is under way at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ...errors import OptionError

UPLOADS_IN_MEMORY = 8  # of the largest size, all clients together


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one request and of all of them.

    Raises
    ------
    OptionError
        If one of them is not above 0.
    """

    upload_bytes: int = 32_000_000  # of one request's body; a larger one gets status 413
    files: int = 32  # in one request; more get 413
    # for an upload to arrive (408), and then for its labels to be ready (503)
    seconds: float = 30.0
    concurrency: int = 64  # requests that wait for their labels at once; one more gets 503

    def __post_init__(self) -> None:
        for name in ("upload_bytes", "files", "seconds", "concurrency"):
            if not getattr(self, name) > 0:
                raise OptionError(
                    f"serve's limits must be above 0, {name} is {getattr(self, name)}"
                )


class FullError(Exception):
    """There is no room for more at once."""


class Room:
    """A number of things that there may be at once. For one event loop, not for threads.

    Parameters
    ----------
    limit : int
        How many.

    Examples
    --------
    >>> room = Room(3)
    >>> with room.share() as take:
    ...     take(2)
    ...     room.taken
    2
    >>> room.taken
    0
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0

    @contextlib.contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Yield a function that takes some; all of them are given back when the block ends.

        It raises :class:`FullError` where they are more than are left.
        """
        mine = 0

        def take(count: int) -> None:
            nonlocal mine
            if self.taken + count > self.limit:
                raise FullError
            self.taken += count
            mine += count

        try:
            yield take
        finally:
            self.taken -= mine
