"""Which classes are taken for which: the confusion matrix and what is read off it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .intervals import wilson
from .metrics import Labels


def confusion_matrix(truth: Labels, predicted: Labels, k: int) -> NDArray[np.intp]:
    """Return how many images of each class (rows) were taken for each (columns), (k, k).

    Examples
    --------
    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    matrix: NDArray[np.intp] = np.bincount(truth * k + predicted, minlength=k * k).reshape(k, k)
    return matrix


def per_class(matrix: NDArray[np.intp], classes: list[str]) -> list[dict[str, Any]]:
    """Return precision, recall and F1 of each class.

    Parameters
    ----------
    matrix : ndarray of int, shape (k, k)
        From :func:`confusion_matrix`.
    classes : list of str, length k
        Their names.

    Returns
    -------
    list of dict
        ``label``; ``images`` of the class; ``predicted``, images taken for it; ``right``;
        ``precision`` and ``recall``, 0 to 1, with Wilson intervals ``precision_ci95`` and
        ``recall_ci95``, each None where there is nothing to divide by; ``f1``.

    Examples
    --------
    >>> cat, dog = per_class(np.array([[3, 1], [0, 0]]), ["cat", "dog"])
    >>> cat["precision"], cat["recall"], dog["precision"], dog["recall"]
    (1.0, 0.75, 0.0, None)
    """
    told = []
    for at, label in enumerate(classes):
        right = int(matrix[at, at])
        images, predicted = int(matrix[at].sum()), int(matrix[:, at].sum())
        precision, precision_ci95 = _share(right, predicted)
        recall, recall_ci95 = _share(right, images)
        told.append(
            {
                "label": label,
                "images": images,
                "predicted": predicted,
                "right": right,
                "precision": precision,
                "precision_ci95": precision_ci95,
                "recall": recall,
                "recall_ci95": recall_ci95,
                "f1": 2 * right / (images + predicted) if images + predicted else None,
            }
        )
    return told


def most_confused(matrix: NDArray[np.intp], classes: list[str]) -> list[dict[str, Any]]:
    """Return the pairs of classes that were confused, the most frequent first.

    Returns
    -------
    list of dict
        ``true``, ``predicted``, ``images`` and ``share``, those of the true class.

    Examples
    --------
    >>> most_confused(np.array([[3, 1], [0, 2]]), ["cat", "dog"])
    [{'true': 'cat', 'predicted': 'dog', 'images': 1, 'share': 0.25}]
    """
    wrong = matrix - np.diag(np.diag(matrix))
    rows, columns = np.nonzero(wrong)
    counts = wrong[rows, columns]
    totals = matrix.sum(axis=1)
    return [
        {
            "true": classes[rows[at]],
            "predicted": classes[columns[at]],
            "images": int(counts[at]),
            "share": float(counts[at] / totals[rows[at]]),
        }
        for at in np.argsort(-counts, kind="stable")
    ]


def _share(hits: int, n: int) -> tuple[float | None, list[float] | None]:
    return (hits / n, list(wilson(hits, n))) if n else (None, None)
