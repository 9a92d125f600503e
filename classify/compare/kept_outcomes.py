"""Results of approaches, kept beside the features: what was computed once is not computed again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...cache import FeatureSpec
from ...storage import replacing
from ..data.table import Table
from .cost import Cost
from .documents import Kind

FOLDER = "results"

Document = TypeVar("Document", bound=Mapping[str, Any])


@dataclass(frozen=True)
class Outcome:
    """What one approach did on one split."""

    name: str  # for print
    kind: Kind  # "transfer" or "finetune"
    chosen_by: float  # accuracy on training data by which the best of a kind is picked
    probabilities: NDArray[np.float64]  # (n evaluation, k): rows sum to 1
    # wall time of `selection` (all that was tried), `training` (of the chosen) and `prediction`
    seconds: dict[str, float]
    cost: Cost  # of all of it
    trainable_parameters: int  # numbers that its training could move
    model_bytes: int  # size of the whole classifier, network and head
    budget: dict[str, Any]  # what it was allowed to try
    # losses and accuracies an epoch; empty for heads without epochs
    history: list[dict[str, float]]
    warnings: list[str]  # what is worth telling
    candidates: int  # settings that were tried
    epochs: int  # that the longest training might take; 0 for heads without epochs
    reused: bool = False  # whether it comes from the cache of results

    @property
    def predicted(self) -> NDArray[np.intp]:
        """Return the most probable class of each image."""
        labels: NDArray[np.intp] = self.probabilities.argmax(axis=1)
        return labels


def fingerprint(table: Table) -> str:
    """Return the SHA-256 of everything in a table that decides a result but the feature spec.

    The images' bytes, labels, groups and split; not their names or places.
    """
    digest = hashlib.sha256(json.dumps(table.classes).encode())
    split = table.split
    for rows in (table.y, table.groups, split.train, split.joining, split.evaluation):
        digest.update(len(rows).to_bytes(8, "big"))
        digest.update(rows.astype("<i8").tobytes())
    digest.update(b"".join(table.features.digests))
    return digest.hexdigest()


def result_key(
    spec: FeatureSpec, table_fingerprint: str, settings: dict[str, Any], recipe: str
) -> str:
    """Return the name under which a result is kept, which everything that decides it alters."""
    parts = [recipe, spec.to_json(), table_fingerprint, settings]
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class ResultsCache:
    """A folder of results, one file each, written under a temporary name and renamed.

    A file that does not read back is computed again. Nothing here is needed for
    correctness: where the folder cannot be written, results are not kept.
    """

    folder: Path  # made when missing

    def load(self, key: str) -> Outcome | None:
        """Return the result of this key, or None."""
        try:
            # Opened here: np.load leaves a damaged file open.
            with open(self.folder / f"{key}.npz", "rb") as file:
                arrays = np.load(file, allow_pickle=False)
                record = json.loads(str(arrays["record"]))
                probabilities = arrays["probabilities"]
        except (OSError, KeyError, ValueError, zipfile.BadZipFile):
            return None
        cost = Cost(**record.pop("cost"))
        return Outcome(**record, cost=cost, probabilities=probabilities, reused=True)

    def save(self, key: str, outcome: Outcome) -> None:
        """Keep a result, if the folder can be written."""
        record = asdict(replace(outcome, probabilities=np.empty(0)))
        for name in ("probabilities", "reused"):
            record.pop(name)
        with (
            contextlib.suppress(OSError),
            replacing(self.folder / f"{key}.npz") as temporary,
            open(temporary, "wb") as file,
        ):
            np.savez_compressed(
                file, record=json.dumps(record), probabilities=outcome.probabilities
            )

    def note(self, name: str) -> Any:
        """Return the document kept under this name; empty when there is none."""
        try:
            return dict(json.loads((self.folder / f"{name}.json").read_text()))
        except (OSError, ValueError, TypeError):
            return {}

    def write_note(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep a small document, if the folder can be written."""
        path = self.folder / f"{name}.json"
        with contextlib.suppress(OSError), replacing(path) as temporary:
            temporary.write_text(json.dumps(document))

    def remembered(self, name: str, make: Callable[[], Document]) -> Document:
        """Return the document kept under this name; make and keep it when there is none."""
        kept: Document | None = self.note(name) or None
        if kept is None:
            kept = make()
            self.write_note(name, kept)
        return kept
