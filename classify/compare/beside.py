"""What stands beside a comparison: more photographs, and the state of those there are."""

from __future__ import annotations

import hashlib

from ...extract.images.images import Dataset
from ...text import shown
from ..doctor.inspect import examine
from ..fit.learning_curve import draw_curve
from ..heads.table import find_head
from .benches import Bench
from .documents import CurveDocument, DoctorDocument
from .kept_outcomes import fingerprint, result_key
from .run_all import Procedure, Run

SUBSETS = 3  # of each size of the curve: some four times what one fit takes
LONGEST = 10.0  # seconds of the fit from which on no curve is drawn unasked
TOP = 12  # findings of a kind


def find_curve(run: Run, procedure: Procedure, longest: float = LONGEST) -> CurveDocument | None:
    """Return the learning curve of a head: ``model``, ``points``, ``conclusion``.

    None for a head whose own fit takes over ``longest`` seconds: ``fit learning-curve`` draws it.
    """
    if run.after_features > longest:
        return None
    bench, name = run.bench, run.own.name
    settings = {"curve": name, "subsets": SUBSETS, "seed": procedure.seed}
    key = result_key(bench.source.spec, fingerprint(bench.table), settings, procedure.recipe)

    def draw() -> CurveDocument:
        curve = draw_curve(find_head(name), bench.table, SUBSETS, procedure.seed)
        return {
            "model": curve["model"],
            "points": curve["points"],
            "conclusion": curve["conclusion"],
        }

    return bench.kept.remembered(key, draw)


def find_findings(dataset: Dataset, bench: Bench, procedure: Procedure) -> DoctorDocument:
    """Return the data doctor's ``summary`` and the first findings of each kind."""
    settings = {"doctor": _places(dataset), "top": TOP, "seed": procedure.seed}
    key = result_key(bench.source.spec, fingerprint(bench.table), settings, procedure.recipe)
    return bench.kept.remembered(key, lambda: _examine(dataset, bench, procedure.seed))


def _examine(dataset: Dataset, bench: Bench, seed: int) -> DoctorDocument:
    table = bench.table
    inspection = examine(dataset, table.features, table.taps, table.alike, seed)
    whole = inspection.to_dict()
    return {
        "summary": inspection.summary(),
        "label_errors": whole["label_errors"][:TOP],
        "duplicates": whole["duplicates"][:TOP],
        "near_duplicates": whole["near_duplicates"][:TOP],
        "outliers": whole["outliers"][:TOP],
    }


def _places(dataset: Dataset) -> str:
    """Return the SHA-256 of where the images lie: findings name them."""
    digest = hashlib.sha256()
    for image in dataset.images:
        digest.update(f"{shown(image.path)}\n".encode())
    return digest.hexdigest()
