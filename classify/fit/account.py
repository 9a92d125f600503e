"""What a saved classifier remembers of its data and its evaluation: the facts of its card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...text import shown
from ..saved.made_with import versions
from ..statistics.confusion import confusion_matrix, most_confused, per_class
from ..statistics.metrics import figures

if TYPE_CHECKING:
    from ..data.table import Table

WORST = 10  # pairs of classes that are confused most


def give_account(table: Table, probabilities: NDArray[np.float64], seed: int) -> dict[str, Any]:
    """Return the ``account`` object of a record.

    Parameters
    ----------
    table : Table
        The dataset as numbers.
    probabilities : ndarray, shape (n evaluation, k)
        On the evaluation split.
    seed : int
        Seeds the resampling of :func:`headstart.classify.statistics.metrics.figures`.

    Returns
    -------
    dict
        ``data`` (counts of images), ``figures`` (each with ``value`` and ``ci95``), ``per_class``
        (as :func:`headstart.classify.statistics.confusion.per_class`, and ``training``, a class' images that
        trained), ``confused`` (the ten pairs of classes confused most) and ``versions``.
    """
    truth, k = table.y[table.split.evaluation], len(table.classes)
    matrix = confusion_matrix(truth, probabilities.argmax(axis=1), k)
    training = np.bincount(table.y[table.split.fitting], minlength=k).tolist()
    rows = zip(per_class(matrix, table.classes), training, strict=True)
    return {
        "data": _describe_data(table),
        "figures": {
            name: {"value": one.value, "ci95": list(one.ci95)}
            for name, one in figures(truth, probabilities, seed).items()
        },
        "per_class": [{**row, "training": count} for row, count in rows],
        "confused": most_confused(matrix, table.classes)[:WORST],
        "versions": versions(),
    }


def _describe_data(table: Table) -> dict[str, Any]:
    split, extraction = table.split, table.features.extraction
    kept = len(split.fitting) + len(split.evaluation)
    return {
        "name": shown(table.root.absolute().name),
        "images": len(table.y) + len(extraction.failures),
        "failed": len(extraction.failures),
        "copies": extraction.duplicates,
        "left_out": len(table.y) - kept,
        "training": len(split.fitting),
        "evaluation": len(split.evaluation),
        "split": split.name,
        "near_leaks": table.near_leaks,
    }
