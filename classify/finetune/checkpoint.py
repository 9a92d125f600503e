"""Where a training run stands, written after each epoch: a kill costs one epoch at most."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ...errors import CacheError
from ...storage import replacing

_LOG = "log"  # the entry of the file that holds what is no array


@dataclass
class Position:
    """Where a run stands after an epoch.

    Parameters
    ----------
    stage : int
        Which stage of unfreezing, from 0.
    epoch : int
        Epochs of it that are done.
    history : list of dict
        One entry an epoch, of all stages.
    weights : list of ndarray
        All variables of the part that trains, random states included.
    optimizer : list of ndarray
        All variables of the optimiser, its step among them: the schedule's place.
    best_weights : list of ndarray
        As ``weights``, after the best epoch.
    """

    stage: int = 0
    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    weights: list[NDArray[Any]] = field(default_factory=list)
    optimizer: list[NDArray[Any]] = field(default_factory=list)
    best_weights: list[NDArray[Any]] = field(default_factory=list)

    def best(self, stage: int) -> dict[str, Any]:
        """Return a stage's entry with the least held-out log loss, the earliest of equals."""
        entries = (entry for entry in self.history if entry["stage"] == stage)
        return min(entries, key=lambda entry: float(entry["val_loss"]))

    def begin(self, stage: int) -> None:
        """Stand at the start of a stage."""
        self.stage, self.epoch = stage, 0
        self.weights, self.optimizer, self.best_weights = [], [], []


_ARRAYS = ("weights", "optimizer", "best_weights")


@dataclass(frozen=True)
class Checkpoint:
    """The file of one run: known by what it trains on and how, not by a name.

    Parameters
    ----------
    path : Path
        An ``.npz`` file, replaced after each epoch.
    """

    path: Path

    @classmethod
    def of(cls, cache: Path, run: dict[str, Any]) -> Checkpoint:
        """Return the file of a run in a cache.

        Parameters
        ----------
        cache : Path
            The cache's root.
        run : dict
            Everything that decides the result, as JSON: data, features, settings.
        """
        text = json.dumps(run, sort_keys=True, default=str)
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        return cls(cache / "checkpoints" / f"{name}.npz")

    def save(self, position: Position) -> None:
        """Replace the file, once the new one is safely on the disk.

        Raises
        ------
        CacheError
            If it cannot be written; the file before stays.
        """
        arrays = {
            f"{kind}.{number:04d}": array
            for kind in _ARRAYS
            for number, array in enumerate(getattr(position, kind))
        }
        log = {key: value for key, value in asdict(position).items() if key not in _ARRAYS}
        arrays[_LOG] = np.frombuffer(json.dumps(log).encode(), dtype=np.uint8)
        try:
            with replacing(self.path, durable=True) as temporary, open(temporary, "wb") as file:
                np.savez(file, **arrays)
        except OSError as error:
            raise CacheError(
                f"cannot write the checkpoint {self.path}: {error.strerror}; free some space or "
                "give another place with --cache DIR"
            ) from error

    def load(self) -> Position | None:
        """Return where the run stood; None when it never finished an epoch.

        Raises
        ------
        CacheError
            If the file is damaged.
        """
        try:
            with open(self.path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
                log = json.loads(file[_LOG].tobytes())
                names = sorted(file.files)  # each array is checked against its CRC-32
                arrays: dict[str, Any] = {
                    kind: [file[name] for name in names if name.startswith(f"{kind}.")]
                    for kind in _ARRAYS
                }
        except FileNotFoundError:
            return None
        except (OSError, BadZipFile, KeyError, ValueError) as error:
            raise CacheError(
                f"checkpoint {self.path} is damaged ({error}): remove it, or leave --resume out"
            ) from error
        return Position(**log, **arrays)

    def remove(self) -> None:
        """Remove the file: its run has ended."""
        self.path.unlink(missing_ok=True)
