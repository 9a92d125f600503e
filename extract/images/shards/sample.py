"""One image of a shard, with what the shard says it shows."""

from __future__ import annotations

from dataclasses import dataclass

from .members import Member
from .parquet_rows import Row


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of a shard.

    Parameters
    ----------
    image : Member or Row
        Where its bytes are.
    label : str, int or None
        Its class by name, or by a number that stands for a name elsewhere; None where the
        shard does not say.
    name : str
        What the shard calls it; a tar file's has the folders that it lies in.
    """

    image: Member | Row
    label: str | int | None
    name: str
