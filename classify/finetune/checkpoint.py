"""Where a training run stands, written after each epoch: a kill costs one epoch at most."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
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
    """Where a training stands after an epoch.

    Parameters
    ----------
    epoch : int
        Epochs that are done.
    diverged : str or None
        What went wrong, where it was stopped for it.
    history : list of dict
        One entry an epoch, from 0.
    logits : list of ndarray, shape (m, k)
        Of the held-out images, after each epoch from 0.
    weights : list of ndarray
        All variables of the part that trains, random states included.
    optimizer : list of ndarray
        All variables of the optimiser.
    """

    epoch: int = 0
    diverged: str | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    logits: list[NDArray[np.float64]] = field(default_factory=list)
    weights: list[NDArray[Any]] = field(default_factory=list)
    optimizer: list[NDArray[Any]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Wall time of its epochs."""
        return float(sum(entry.get("seconds", 0.0) for entry in self.history))

    def ended(self) -> Position:
        """Return what is worth keeping of a training that will not go on."""
        return replace(self, weights=[], optimizer=[])


_ARRAYS = ("logits", "weights", "optimizer")


def checkpoints(cache: Path, search: dict[str, Any]) -> Path:
    """Return the folder of a search: known by what it decides on and how, not by a name."""
    return cache / "checkpoints" / _named_by(search)


def _named_by(document: dict[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Checkpoint:
    """The file of one training of a search.

    Parameters
    ----------
    path : Path
        An ``.npz`` file, replaced after each epoch.
    """

    path: Path

    @classmethod
    def of(cls, folder: Path, training: dict[str, Any]) -> Checkpoint:
        """Return the file of a training.

        Parameters
        ----------
        folder : Path
            From :func:`checkpoints`.
        training : dict
            What tells it from the search's others, as JSON.
        """
        return cls(folder / f"{_named_by(training)}.npz")

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
        log = {key: value for key, value in vars(position).items() if key not in _ARRAYS}
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
        """Return where the training stood; None when it never finished an epoch.

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
