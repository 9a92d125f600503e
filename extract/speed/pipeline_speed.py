"""How fast this machine turns photographs into features."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ...cache import FeatureStore, StatIndex
from ..images.addresses import Reference
from ..pipeline import extract
from ..source import FeatureSource

SAMPLE = 64


def measure_rate(paths: Sequence[Reference], source: FeatureSource) -> float | None:
    """Extract some images anew and return images a second, files to features.

    The same pipeline as for everything else, into a cache that is thrown away:
    reading, decoding, network and writing count, the start of the engine does not.

    Parameters
    ----------
    paths : sequence of Reference
        Images; 64 of them, evenly spaced, are taken.
    source : FeatureSource
        What to extract, and how.

    Returns
    -------
    float or None
        None when no image could be read.
    """
    sample = list(paths[:: max(1, len(paths) // SAMPLE)][:SAMPLE])
    engine = source.options.make_engine(source)
    with tempfile.TemporaryDirectory() as folder, StatIndex(Path(folder, "stat")) as stat_index:
        extraction = extract(
            sample,
            FeatureStore(Path(folder), source.spec),
            lambda: engine,
            stat_index,
            batch_size=source.plan.batch_size,
            workers=source.plan.workers,
        )
    return extraction.extracted / extraction.seconds if extraction.extracted else None
