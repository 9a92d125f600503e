"""The JSON documents of ``headstart cache``: typed, and built from what the cache's own say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from ..text import shown
from .catalogue import SpecHoldings
from .clear import Removal
from .compact import Compaction
from .mirror import place_of
from .verify import Problem, Verification

VERSION = 1


class InfoDocument(TypedDict):
    """``cache info``."""

    version: int
    cache: str
    specs: list[SpecHoldings]


class ProblemDocument(TypedDict):
    """A segment that cannot be trusted: the images concerned by digest and, if known, address."""

    path: str
    reason: str
    digests: list[str]
    images: list[str]


class RecomputedDocument(TypedDict):
    """One spec's sample, extracted afresh: see :mod:`headstart.extract.recompute`."""

    id: str
    images: int
    error: float | None
    allowed: float
    differing: list[str]
    skipped: str | None


class VerifyDocument(TypedDict):
    """``cache verify``."""

    version: int
    cache: str
    clean: bool
    segments: int
    rows: int
    problems: list[ProblemDocument]
    set_aside: list[str]
    unfinished: list[str]
    recomputed: list[RecomputedDocument]


class CompactedSpec(TypedDict):
    """One spec of ``cache compact``."""

    folder: str
    segments_before: int
    segments: int
    rows: int
    duplicates: int
    damaged: list[str]


class CompactDocument(TypedDict):
    """``cache compact``."""

    version: int
    specs: list[CompactedSpec]


class ClearedFolder(TypedDict):
    """One spec's folder of ``cache clear``."""

    folder: str
    files: int
    bytes: int


class ClearDocument(TypedDict):
    """``cache clear``."""

    version: int
    cache: str
    removed: list[ClearedFolder]


def info_document(cache: Path, holdings: list[SpecHoldings]) -> InfoDocument:
    """Describe what :func:`headstart.cache.catalogue.holdings` measured."""
    return {"version": VERSION, "cache": place_of(cache), "specs": holdings}


def verify_document(
    cache: Path, verification: Verification, recomputed: Sequence[RecomputedDocument]
) -> VerifyDocument:
    """Describe what :func:`headstart.cache.verify.verify` read, and what was computed again."""
    differing = any(sample["differing"] for sample in recomputed)
    return {
        "version": VERSION,
        "cache": place_of(cache),
        "clean": not verification.problems and not differing,
        "segments": verification.segments,
        "rows": verification.rows,
        "problems": [_problem(problem) for problem in verification.problems],
        "set_aside": [shown(path) for path in verification.damaged],
        "unfinished": [shown(path) for path in verification.unfinished],
        "recomputed": list(recomputed),
    }


def _problem(problem: Problem) -> ProblemDocument:
    return {
        "path": shown(problem.path),
        "reason": problem.reason,
        "digests": [digest.hex() for digest in problem.digests],
        "images": [shown(path) for path in problem.images],
    }


def compact_document(compactions: Sequence[Compaction]) -> CompactDocument:
    """Describe what :func:`headstart.cache.compact.compact` merged."""
    specs: list[CompactedSpec] = [
        {
            "folder": str(compaction.folder),
            "segments_before": compaction.before,
            "segments": compaction.after,
            "rows": compaction.rows,
            "duplicates": compaction.duplicates,
            "damaged": [str(error.path) for error in compaction.damaged],
        }
        for compaction in compactions
    ]
    return {"version": VERSION, "specs": specs}


def clear_document(cache: Path, removals: Sequence[Removal]) -> ClearDocument:
    """Describe what :func:`headstart.cache.clear.remove` removed."""
    removed: list[ClearedFolder] = [
        {"folder": str(removal.folder), "files": len(removal.files), "bytes": removal.bytes}
        for removal in removals
    ]
    return {"version": VERSION, "cache": place_of(cache), "removed": removed}
