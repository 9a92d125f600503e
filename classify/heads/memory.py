"""What a head may take of the memory: told before it is taken."""

from __future__ import annotations

from ...errors import OptionError
from ...extract.engine.choose import free_memory

SHARE = 0.5  # of what is free


class TooLargeError(OptionError):
    """A head needs more memory than it may have."""


def check_memory(wanted: int, what: str, remedy: str) -> None:
    """Refuse what would take more than half of the memory that is free.

    Parameters
    ----------
    wanted : int
        Bytes.
    what : str
        Takes them, for print.
    remedy : str
        What to do instead.

    Raises
    ------
    TooLargeError
        If it is too much.

    Examples
    --------
    >>> check_memory(1, "one byte", "use less")
    """
    free = free_memory()
    if wanted > SHARE * free:
        raise TooLargeError(
            f"{what} would take {wanted / 2**30:,.1f} GB of memory, {free / 2**30:.1f} GB are "
            f"free: {remedy}"
        )
