"""What became of each image of a run: extracted, reused, a duplicate or failed, and why."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..text import shown
from .images.addresses import Reference
from .images.in_memory import PixelImage

DISTINCT_FILES = 64


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that has no features, and why."""

    path: Reference
    reason: str

    def __str__(self) -> str:
        return f"{shown(self.path)}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image: a line of the ledger."""

    path: Reference  # the image, as given
    outcome: str  # `"extracted"`, `"reused"`, `"duplicate"` or `"failed"`
    reason: str | None = None  # why it failed, or which image it repeats


@dataclass
class Extraction:
    """What became of each image; the counts and failures add up to all images."""

    digests: list[bytes | None]  # SHA-256 of each image, in the order given; None where it failed
    # ran through the backbone now; were in the cache; equal an earlier image
    extracted: int = 0
    reused: int = 0
    duplicates: int = 0
    # images that could not be read or decoded
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0  # wall time from the call to the last commit
    # those that passed before the backbone was ready, on a cluster on all workers
    startup_seconds: float = 0.0
    # seconds of all threads together, by stage; nothing of a cluster's
    spent: dict[str, float] = field(default_factory=dict)
    engine: str | None = None  # what ran the backbone; None when nothing had to run
    device: str | None = None  # where it ran: `"cpu"` or `"gpu"`
    notes: list[str] = field(default_factory=list)  # what is worth telling about the engine
    ledger: list[Outcome] = field(default_factory=list)  # one for each image, in the order given


class Totals:
    """What became of the images of many blocks, added up: of an image no more is kept than its mark.

    Parameters
    ----------
    several : bool
        Whether there will be more than one.
    """

    def __init__(self, *, several: bool) -> None:
        self.whole = Extraction([])
        self.images = 0
        self._held = 0
        self._distinct = _Distinct() if several else None
        self._new = _Distinct() if several else None  # of those that were extracted

    def add(self, block: Extraction) -> None:
        """Add a block; an image that two blocks of a cluster extracted counts once."""
        self.images += len(block.digests)
        if self._distinct is None or self._new is None:
            self.whole = block
            return
        whole, held = self.whole, [digest for digest in block.digests if digest is not None]
        self._distinct.add(held)
        self._held += len(held)
        lines = zip(block.ledger, block.digests, strict=True)
        self._new.add([digest for line, digest in lines if digest and line.outcome == "extracted"])
        whole.failures += block.failures
        whole.seconds += block.seconds
        whole.startup_seconds += block.startup_seconds
        for name, seconds in block.spent.items():
            whole.spent[name] = whole.spent.get(name, 0.0) + seconds
        whole.engine, whole.device = block.engine or whole.engine, block.device or whole.device
        whole.notes = list(dict.fromkeys([*whole.notes, *block.notes]))

    def finish(self) -> Extraction:
        """Return the whole; of several blocks it has neither digests nor a ledger."""
        if self._distinct is not None and self._new is not None:
            distinct, self.whole.extracted = self._distinct.count(), self._new.count()
            self.whole.reused = distinct - self.whole.extracted
            self.whole.duplicates = self._held - distinct
        return self.whole


class _Distinct:
    """Counts different digests by their first eight bytes, in temporary files."""

    def __init__(self) -> None:
        self._files = [tempfile.TemporaryFile() for _ in range(DISTINCT_FILES)]  # noqa: SIM115

    def add(self, digests: list[bytes]) -> None:
        marks = np.frombuffer(b"".join(digests), "<u8")[::4]
        for number, file in enumerate(self._files):
            file.write(marks[marks % DISTINCT_FILES == number].tobytes())

    def count(self) -> int:
        count = 0
        for file in self._files:
            file.seek(0)
            count += len(np.unique(np.frombuffer(file.read(), "<u8")))
        return count

    def __del__(self) -> None:
        for file in self._files:
            file.close()


def summarise(
    paths: Sequence[Reference | PixelImage],
    digests: list[bytes | None],
    extracted: set[bytes],
    failures: dict[int, str],
    **circumstances: Any,
) -> Extraction:
    """Count what happened to each image.

    Parameters
    ----------
    paths : sequence of Reference or PixelImage, length n
        The images.
    digests : list of (bytes or None), length n
        None where one failed.
    extracted : set of bytes
        Those that ran through the backbone now.
    failures : dict of int to str
        Position to reason.
    **circumstances
        Fields of :class:`Extraction` that are no counts.
    """
    # Images in memory have a name, too.
    names = [Path(str(path)) if isinstance(path, PixelImage) else path for path in paths]
    held = [digest for digest in digests if digest is not None]
    return Extraction(
        digests=digests,
        extracted=len(extracted),
        reused=len(set(held) - extracted),
        duplicates=len(held) - len(set(held)),
        failures=[Failure(names[i], failures[i]) for i in sorted(failures)],
        ledger=_ledger(names, digests, extracted, failures),
        **circumstances,
    )


def _ledger(
    names: Sequence[Reference],
    digests: list[bytes | None],
    extracted: set[bytes],
    failures: dict[int, str],
) -> list[Outcome]:
    first: dict[bytes, Reference] = {}
    ledger = []
    for i, (path, digest) in enumerate(zip(names, digests, strict=True)):
        if digest is None:
            ledger.append(Outcome(path, "failed", failures[i]))
        elif digest in first:
            ledger.append(Outcome(path, "duplicate", f"same bytes as {shown(first[digest])}"))
        else:
            first[digest] = path
            ledger.append(Outcome(path, "extracted" if digest in extracted else "reused"))
    return ledger
