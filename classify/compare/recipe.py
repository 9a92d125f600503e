"""What computes a result: a digest of the code and the libraries, so that no result outlives them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

from ...version import __version__
from ..saved.made_with import versions

ROOT = Path(__file__).parents[2]
COMPUTE = (  # what a kept result depends on: below the package
    "classify/compare/approaches.py",
    *(f"classify/{room}" for room in ("data", "doctor", "finetune", "fit", "heads", "network")),
    *("classify/saved", "classify/statistics", "extract"),
)


@functools.cache
def recipe() -> str:
    """Return the digest of everything that computes results here: our code and the libraries."""
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(versions().items()))
    code = source_digest(ROOT / place for place in COMPUTE)
    return hashlib.sha256(f"{__version__}; {libraries}; {code}".encode()).hexdigest()


def source_digest(places: Iterable[Path]) -> str:
    """Return the SHA-256 of all Python source in some files and folders, with its names."""
    digest = hashlib.sha256()
    for place in places:
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        for file in files:
            text = file.read_bytes()
            digest.update(f"{file.relative_to(place.parent)} {len(text)}\n".encode())
            digest.update(text)
    return digest.hexdigest()
