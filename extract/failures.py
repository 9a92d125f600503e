"""How many images may fail: ``--max-failures``, judged before a run and held against it after."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import DataError, OptionError
from ..text import shown
from .ledger import Failure


def check_failures(failures: Sequence[Failure], total: int, limit: str | None) -> None:
    """Judge the failures of a run against ``--max-failures``.

    Parameters
    ----------
    failures : sequence of Failure
        What failed.
    total : int
        Of how many images.
    limit : str or None
        A count such as ``"0"`` or a share such as ``"5%"``; None means that
        only a run in which everything failed is an error.

    Raises
    ------
    DataError
        If more failed than allowed. What did not fail is in the cache.
    OptionError
        If the limit is neither a count nor a share.

    Examples
    --------
    >>> from pathlib import Path
    >>> check_failures([Failure(Path("x"), "empty")], 2, "50%")
    """
    if not failures:
        return
    example = f"first: {shown(failures[0].path)}: {failures[0].reason}"
    if len(failures) == total:
        raise DataError(f"none of the {total} images can be used; {example}")
    if limit is not None and len(failures) > allowed_failures(limit, total):
        raise DataError(
            f"{len(failures)} of {total} images failed, --max-failures allows {limit}; the others "
            f"are cached; {example}"
        )


def check_limit(limit: str | None) -> None:
    """Refuse a limit that cannot be: a typing error must not cost an extraction.

    Raises
    ------
    OptionError
        If it is neither a count nor a share.

    Examples
    --------
    >>> check_limit("5%")
    >>> check_limit("few")
    Traceback (most recent call last):
    ...
    headstart.errors.OptionError: --max-failures takes a count (3) or a share (5%), got 'few'
    """
    if limit is not None:
        allowed_failures(limit, 0)


def allowed_failures(limit: str, total: int) -> float:
    """Return how many failures a limit such as ``"3"`` or ``"5%"`` allows.

    Raises
    ------
    OptionError
        If it is neither.
    """
    share = limit.endswith("%")
    try:
        number = float(limit.removesuffix("%")) if share else int(limit)
    except ValueError:
        number = -1
    if not number >= 0:  # nor is nan
        raise OptionError(f"--max-failures takes a count (3) or a share (5%), got {limit!r}")
    return number / 100 * total if share else number
