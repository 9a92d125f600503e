"""One image of a shard, with what the shard says it shows."""

from __future__ import annotations

from dataclasses import dataclass

from .members import Member
from .parquet_rows import Row


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of a shard."""

    image: Member | Row  # where its bytes are
    # its class by name, or by a number that stands for a name elsewhere; None where the shard does
    # not say
    label: str | int | None
    name: str  # what the shard calls it; a tar file's has the folders that it lies in
