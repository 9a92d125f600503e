"""Choice by cross-validation, calibration, final fit: all on training data."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from .heads import Head
from .taps import TapSelector

FOLDS = 5
METRIC = "accuracy"

Folds = list[tuple[NDArray[np.intp], NDArray[np.intp]]]


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """How the chosen candidate did on held-out folds of the training data."""

    metric: str
    mean: float
    std: float
    folds: int
    candidates: int

    def to_dict(self) -> dict[str, Any]:
        """Return the contract's ``cv`` object."""
        return asdict(self)


@dataclass(frozen=True)
class Choice:
    """What cross-validation chose.

    Parameters
    ----------
    pipeline : Pipeline
        Scaler and head with the chosen parameters, unfitted.
    params : dict
        The choice, for print and JSON.
    cv : CrossValidation
        Its score.
    seconds : float
        Wall time of choosing.
    warnings : list of str
        A choice at the edge of its range, fits that did not converge.
    """

    pipeline: Any
    params: dict[str, Any]
    cv: CrossValidation
    seconds: float
    warnings: list[str]


def make_folds(y: NDArray[np.intp], groups: NDArray[np.intp], seed: int) -> Folds:
    """Return stratified folds that never part a group.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        Class indices; each class has at least two images.
    groups : ndarray of int, shape (n,)
        Equal for images that must stay together: the same bytes, the same group.
    seed : int
        Shuffles.

    Returns
    -------
    list of (train rows, held-out rows)
        At most five; fewer when the smallest class has fewer images.
    """
    count = int(min(FOLDS, np.bincount(y)[np.unique(y)].min()))
    with warnings.catch_warnings():  # it counts groups as images where a class has few
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        splitter = StratifiedGroupKFold(max(2, count), shuffle=True, random_state=seed)
        folds = list(splitter.split(y, y, groups))
    return [(train, held_out) for train, held_out in folds if len(held_out)]


def choose(
    head: Head,
    X: NDArray[np.float32],
    y: NDArray[np.intp],
    folds: Folds,
    seed: int,
    taps: TapSelector | None = None,
) -> Choice:
    """Choose scaler and regularisation by mean accuracy over the folds.

    Ties go to the more regularised candidate, which stands first in the table.

    Parameters
    ----------
    head : Head
        Row of the table.
    X : ndarray, shape (n, d), float32
        Features of the training split.
    y : ndarray of int, shape (n,)
        Class indices.
    folds : list
        From :func:`make_folds`.
    seed : int
        Seeds the estimator.
    taps : TapSelector, optional
        What the columns are where there are several layers or views.
    """
    begin = time.perf_counter()
    candidates = head.candidates(min(len(train) for train, _ in folds))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        search = GridSearchCV(
            head.pipeline(seed, taps), candidates, scoring=METRIC, cv=folds, refit=False, n_jobs=-1
        )
        with _threads():
            search.fit(X, y)
    best = search.best_index_
    pipeline = head.pipeline(seed, taps).set_params(**search.best_params_)
    results = search.cv_results_
    cv = CrossValidation(
        METRIC,
        float(results["mean_test_score"][best]),
        float(results["std_test_score"][best]),
        len(folds),
        len(results["params"]),
    )
    chosen = search.best_params_
    remarks = _remarks(head.name, candidates, chosen, caught, cv)
    params = {name.split("__")[1]: value for name, value in chosen.items()}
    return Choice(pipeline, params, cv, time.perf_counter() - begin, remarks)


def fit_calibrated(
    choice: Choice, X: NDArray[np.float32], y: NDArray[np.intp], folds: Folds
) -> CalibratedClassifierCV:
    """Fit the choice on all rows, its probabilities scaled by one temperature.

    The temperature (Guo et al. 2017, arXiv:1706.04599) is fitted on
    out-of-fold predictions, so no image calibrates a head that has seen it.

    Parameters
    ----------
    choice : Choice
        What to fit.
    X : ndarray, shape (n, d), float32
        Features.
    y : ndarray of int, shape (n,)
        Class indices.
    folds : list
        Over these rows.
    """
    calibrated = CalibratedClassifierCV(
        choice.pipeline, method="temperature", ensemble=False, cv=folds, n_jobs=-1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # told by choose()
        with _threads():
            calibrated.fit(X, y)
    if choice.cv.mean == 1.0:
        # Without one error out of fold the likelihood grows with the confidence for ever: the
        # head's own confidence is kept.
        calibrator = calibrated.calibrated_classifiers_[0].calibrators[0]
        calibrator.beta_ = min(float(calibrator.beta_), 1.0)
    calibrated.cv = len(folds)  # the rows themselves have no place in a saved model
    return calibrated


def predict_proba(estimator: Any, X: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return probabilities (n, k) in float64, whose rows sum to 1 as exactly as that can."""
    rough = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    probabilities: NDArray[np.float64] = rough / rough.sum(axis=1, keepdims=True)
    return probabilities


@contextlib.contextmanager
def _threads() -> Iterator[None]:
    """Run joblib's jobs as threads, each with single-threaded linear algebra.

    The solvers release the interpreter lock; processes would spend longer on
    importing scikit-learn than on the fits.
    """
    with threadpool_limits(1), joblib.parallel_config(backend="threading"):
        yield


def _remarks(
    head: str,
    candidates: dict[str, list[Any]],
    chosen: dict[str, Any],
    caught: list[warnings.WarningMessage],
    cv: CrossValidation,
) -> list[str]:
    remarks = []
    for name, values in candidates.items():
        if len(values) > 2 and chosen[name] in (values[0], values[-1]):
            remarks.append(
                f"{head}: the chosen {name.split('__')[1]} = {chosen[name]:g} lies at the "
                f"edge of the range {min(values):g} to {max(values):g}"
            )
    failed = sum(issubclass(w.category, ConvergenceWarning) for w in caught)
    if failed:
        total = cv.candidates * cv.folds
        remarks.append(f"{head}: {failed} of {total} fits stopped before they had converged")
    return remarks
