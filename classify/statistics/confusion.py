"""Which classes are taken for which: the confusion matrix and what is read off it."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from .intervals import wilson
from .sample import Labels


class ClassFigures(TypedDict):
    """Precision, recall and F1 of a class; None where there is nothing to divide by.

    ``images`` are of the class, ``predicted`` were taken for it; intervals are Wilson's.
    """

    label: str
    images: int
    predicted: int
    right: int
    precision: float | None
    precision_ci95: list[float] | None
    recall: float | None
    recall_ci95: list[float] | None
    f1: float | None


class ConfusedPair(TypedDict):
    """Images of one class that were taken for another, and their share of the former."""

    true: str
    predicted: str
    images: int
    share: float


def confusion_matrix(truth: Labels, predicted: Labels, k: int) -> NDArray[np.intp]:
    """Return how many images of each class (rows) were taken for each (columns), (k, k).

    Examples
    --------
    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    matrix: NDArray[np.intp] = np.bincount(truth * k + predicted, minlength=k * k).reshape(k, k)
    return matrix


def per_class(matrix: NDArray[np.intp], classes: list[str]) -> list[ClassFigures]:
    """Return precision, recall and F1 of each class.

    Parameters
    ----------
    matrix : ndarray of int, shape (k, k)
        From :func:`confusion_matrix`.
    classes : list of str, length k
        Their names.

    Examples
    --------
    >>> cat, dog = per_class(np.array([[3, 1], [0, 0]]), ["cat", "dog"])
    >>> cat["precision"], cat["recall"], dog["precision"], dog["recall"]
    (1.0, 0.75, 0.0, None)
    """
    rows: list[ClassFigures] = []
    for index, label in enumerate(classes):
        right = int(matrix[index, index])
        images, predicted = int(matrix[index].sum()), int(matrix[:, index].sum())
        precision, precision_ci95 = _share(right, predicted)
        recall, recall_ci95 = _share(right, images)
        rows.append(
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
    return rows


def most_confused(matrix: NDArray[np.intp], classes: list[str]) -> list[ConfusedPair]:
    """Return the pairs of classes that were confused, the most frequent first.

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
            "true": classes[rows[cell]],
            "predicted": classes[columns[cell]],
            "images": int(counts[cell]),
            "share": float(counts[cell] / totals[rows[cell]]),
        }
        for cell in np.argsort(-counts, kind="stable")
    ]


def _share(hits: int, n: int) -> tuple[float | None, list[float] | None]:
    return (hits / n, list(wilson(hits, n))) if n else (None, None)
