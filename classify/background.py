"""What stands beside a comparison: what more photographs would bring."""

from __future__ import annotations

from typing import Any

from ..extract.dataset import Dataset
from .finetune import Stage
from .learning_curve import learning_curve
from .results import FOLDER, ResultsCache, fingerprint, result_key
from .runs import Run

SUBSETS = 3  # of each size of the curve: some four times what one fit takes
LONGEST = 10.0  # seconds of the fit from which on no curve is drawn unasked


def find_curve(dataset: Dataset, run: Run, seed: int, stage: Stage) -> dict[str, Any] | None:
    """Return the learning curve of a head: ``model``, ``points``, ``conclusion``.

    Parameters
    ----------
    dataset : Dataset
        With labels.
    run : Run
        Of the head.
    seed : int
        Draws the subsets.
    stage : callable
        Told what runs; returns where to tell its progress.

    Returns
    -------
    dict or None
        None for a head that takes longer than ten seconds: ``fit learning-curve`` draws it.
    """
    if run.after_features > LONGEST:
        return None
    source, name = run.bench.source, run.own.name
    settings = {"curve": name, "subsets": SUBSETS, "seed": seed}
    key = result_key(source.spec, fingerprint(run.bench.table), settings)

    def draw() -> dict[str, Any]:
        found = learning_curve(dataset, source, name, SUBSETS, seed, stage)
        return {part: found[part] for part in ("model", "points", "conclusion")}

    return ResultsCache(source.cache / FOLDER).remembered(key, draw)
