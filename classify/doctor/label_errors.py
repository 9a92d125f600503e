"""Labels that a head doubts which was fitted without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cache.rows import take
from ...text import shown
from ..data.columns import TapSelector
from ..data.folds import FOLDS, make_folds
from ..data.split import Rows
from ..heads.fits import open_fits
from ..heads.search import fit_calibrated, tune
from ..heads.table import HEADS
from ..heads.training_rows import Training

HOW_TO_DECIDE = (
    "label errors are ranked by the head's doubt alone: pip install 'headstart[doctor]' adds "
    "cleanlab's verdict which of them are likely"
)


@dataclass(frozen=True)
class Doubts:
    """Images whose labels a head doubts, the gravest first."""

    rows: Rows  # (m,): the images
    suggested: Rows  # (m,): their most probable classes
    # (m,): probabilities of the class given and of the most probable one, 0 to 1
    own: NDArray[np.float64]
    best: NDArray[np.float64]
    # (m,): what confident learning calls an error; None where cleanlab is not installed
    likely: NDArray[np.bool_] | None
    remarks: list[str]  # what was left out and why


def doubt_labels(
    X: Any,
    y: NDArray[np.intp],
    groups: Rows,
    classes: list[str],
    seed: int,
    taps: TapSelector | None = None,
) -> Doubts:
    """Rank the images that logistic regression labels otherwise when it has not seen them.

    Each image gets calibrated probabilities from a fit on the folds without it and without
    its copies. Those of another class than the label come first where confident learning
    (Northcutt et al. 2021, https://doi.org/10.1613/jair.1.12125, by cleanlab) calls them
    errors, then by the probability of their label: it is cautious, and the ranking goes on
    where it stops.

    Parameters
    ----------
    X : ndarray or StoredRows, shape (n, d)
        Features of all images, of every split: this is inspection, no figure comes from it.
    y : ndarray of int, shape (n,)
        Class indices as given.
    groups : ndarray of int, shape (n,)
        Equal for images that folds must not part.
    classes : list of str
        Class names.
    seed : int
        Seeds the folds.
    taps : TapSelector, optional
        What the columns are where there are several layers or views.

    Examples
    --------
    >>> X = np.repeat(np.eye(2, 3, dtype=np.float32), 40, axis=0)
    >>> X += np.random.default_rng(0).normal(0, 0.1, X.shape).astype(np.float32)
    >>> y = np.repeat([0, 1], 40)
    >>> y[3] = 1
    >>> doubt_labels(X, y, np.arange(80), ["cat", "dog"], seed=0).rows.tolist()
    [3]
    """
    enough = np.flatnonzero(np.bincount(y, minlength=len(classes)) >= FOLDS)
    if len(enough) < 2:
        nothing = np.empty(0)
        line = f"label errors are left out: they need two classes of at least {FOLDS} images"
        none = nothing.astype(np.intp)
        return Doubts(none, none, nothing, nothing, nothing.astype(bool), [line])
    remarks = []
    if len(enough) < len(classes):
        few = [shown(name) for index, name in enumerate(classes) if index not in enough]
        remarks.append(
            f"classes of fewer than {FOLDS} images take no part in the search for label errors: "
            f"{', '.join(few)}"
        )
    rows = np.flatnonzero(np.isin(y, enough))
    given = np.searchsorted(enough, y[rows])
    folds = make_folds(given, groups[rows], seed)
    fits = open_fits(HEADS["logreg"], Training(take(X, rows), given, folds))
    choice = tune(HEADS["logreg"], fits, seed, taps)
    probabilities = fit_calibrated(choice, fits).out_of_fold
    likely = _confident_learning(given, probabilities)
    if likely is None:
        remarks.append(HOW_TO_DECIDE)
    own = probabilities[np.arange(len(given)), given]
    suggested = probabilities.argmax(axis=1)
    doubted = np.flatnonzero(suggested != given)
    verdict = np.zeros(len(given), dtype=bool) if likely is None else likely
    order = doubted[np.lexsort((own[doubted], ~verdict[doubted]))]
    return Doubts(
        rows[order],
        enough[suggested[order]],
        own[order],
        probabilities.max(axis=1)[order],
        None if likely is None else likely[order],
        remarks,
    )


def _confident_learning(
    y: NDArray[np.intp], probabilities: NDArray[np.float64]
) -> NDArray[np.bool_] | None:
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        return None
    # One job: others would be forked, which TensorFlow's threads do not survive.
    mask: NDArray[np.bool_] = find_label_issues(y, probabilities, n_jobs=1)
    return mask
