"""The table of what fine-tuning is chosen among."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .documents import CandidateDocument


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to train a network.

    Parameters
    ----------
    unfreeze : str
        How deep: see :func:`headstart.classify.network.depths.find_depth`.
    start : str
        ``"head"``, ``"random"`` (head) or ``"scratch"``.
    batch_norm : str
        Of the layers that train: ``"frozen"`` or ``"trained"``; ``"none"`` where there is none.
    learning_rate : float
        Of AdamW, at the head.
    layer_decay : float
        The learning rate of each block is that of the one above it times this.
    augment : str
        ``"none"``, ``"views"`` or ``"on-the-fly"``.
    input_size : int
        Side of the images in pixels; 0 for that of the features.
    """

    unfreeze: str
    start: str
    batch_norm: str
    learning_rate: float
    layer_decay: float = 1.0
    augment: str = "none"
    input_size: int = 0

    def describe(self) -> CandidateDocument:
        """Return it for the record."""
        return {
            "unfreeze": self.unfreeze,
            "start": self.start,
            "batch_norm": self.batch_norm,
            "learning_rate": self.learning_rate,
            "layer_decay": self.layer_decay,
            "augment": self.augment,
            "input_size": self.input_size,
        }


# In the order in which a budget takes them: what is cheap and what has won somewhere comes first.
# Without batch norm nothing rescales what a large step has moved, so the rates are lower.
CANDIDATES = tuple(
    Candidate(*row)
    for row in (
        ("last block", "random", "trained", 3e-4),
        ("all", "random", "trained", 1e-3),
        ("last block", "head", "frozen", 1e-4),
        ("last block", "random", "trained", 1e-3),
        ("half", "random", "trained", 3e-4),
        ("last block", "head", "trained", 3e-4),
        ("half", "head", "trained", 1e-3),
        ("upper third", "random", "trained", 3e-4),
        ("all", "head", "trained", 3e-4, 0.8),
        ("all", "random", "trained", 3e-3),
        ("upper third", "head", "trained", 1e-3),
        ("all", "random", "trained", 3e-4),
        ("last block", "head", "frozen", 1e-5),
        ("half", "head", "frozen", 1e-4),
        ("last block", "head", "none", 1e-5),
        ("last block", "random", "none", 1e-4),
        ("last block", "head", "none", 1e-4),
        ("half", "random", "none", 1e-4),
        ("half", "head", "none", 3e-5),
        ("all", "random", "none", 1e-4),
        ("all", "head", "none", 3e-5, 0.8),
    )
)
AUGMENTED = "views"  # what joins the search once the weaker half is gone


def candidates_for(named: Mapping[str, Sequence[Any]], *, normalised: bool) -> list[Candidate]:
    """Return the rows for a network, with what the user has named in place of their own.

    Parameters
    ----------
    named : mapping of str to sequence
        Column to the values to choose among.
    normalised : bool
        Whether the network has batch norm.

    Examples
    --------
    >>> [row.learning_rate for row in candidates_for(
    ...     {"unfreeze": ["1"], "start": ["head"], "batch_norm": ["frozen"]}, normalised=True)]
    [0.0003, 0.001, 0.0001, 0.0003, 0.003, 1e-05]
    """
    rows = [row for row in CANDIDATES if (row.batch_norm != "none") == normalised]
    columns = list(named)
    combined = (
        replace(row, **dict(zip(columns, values, strict=True)))
        for row in rows
        for values in itertools.product(*named.values())
    )
    return list(dict.fromkeys(_sensible(row, normalised=normalised) for row in combined))


def _sensible(row: Candidate, *, normalised: bool) -> Candidate:
    if not normalised:
        row = replace(row, batch_norm="none")
    if row.start == "scratch":  # nothing is worth freezing
        row = replace(row, unfreeze="all", layer_decay=1.0)
        return replace(row, batch_norm="trained") if normalised else row
    return row
