"""Linear heads equal scikit-learn's, whole and in blocks, alone and in shared problems."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import cross_val_predict
from sklearn.utils.estimator_checks import parametrize_with_checks

from headstart.cache import FeatureSpec, FeatureStore
from headstart.cache.rows import StoredRows
from headstart.classify.data.folds import make_folds
from headstart.classify.heads.linear.estimators import (
    CentroidHead,
    DiscriminantHead,
    HingeHead,
    LogisticHead,
    RidgeHead,
)
from headstart.classify.heads.linear.fits import KEPT_STRENGTHS, LinearFits
from headstart.classify.heads.linear.lbfgs import logistic_loss
from headstart.classify.heads.table import find_head
from headstart.classify.heads.training_rows import Training

SPEC = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 8), "crop", "none", "float32", 1)
LINEAR = ["centroid", "ridge", "lda", "logreg", "linear-svm"]
HEADS = [CentroidHead(), RidgeHead(), DiscriminantHead(), LogisticHead(), HingeHead()]


def balanced(scores):
    """Take out what is the same for all classes of a row: no probability knows it."""
    return scores - scores.mean(axis=1, keepdims=True) if scores.ndim > 1 else scores


def table(n=90, d=12, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    X = np.abs(rng.normal(0, 1.5, (n, d)) + 2 * np.eye(classes, d)[y] + 1)
    return X.astype(np.float32), y


@parametrize_with_checks(HEADS)
def test_they_keep_scikit_learns_contract(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (LogisticHead(C=0.3, tol=1e-7), LogisticRegression(C=0.3, tol=1e-7, max_iter=2000)),
        (
            LogisticHead(C=0.3, tol=1e-7, class_weight="balanced"),
            LogisticRegression(C=0.3, tol=1e-7, max_iter=2000, class_weight="balanced"),
        ),
        (RidgeHead(alpha=3.0), RidgeClassifier(alpha=3.0)),
        (
            RidgeHead(alpha=3.0, class_weight="balanced"),
            RidgeClassifier(alpha=3.0, class_weight="balanced"),
        ),
        (DiscriminantHead(0.4), LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.4)),
    ],
)
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("d", [12, 200])
def test_they_give_scikit_learns_scores(ours, theirs, classes, d):
    X, y = table(d=d, classes=classes)
    X, y = X[:80], y[:80]
    scores, expected = (one.fit(X, y).decision_function(X) for one in (ours, theirs))
    scores, expected = balanced(scores), balanced(expected)
    np.testing.assert_allclose(scores, expected, atol=2e-3 * np.abs(expected).max())


def test_the_hinge_has_the_least_loss_of_all_weights():
    X, y = table()
    head = HingeHead(C=0.1, tol=1e-7).fit(X, y)

    def objective(kernel, bias):
        signs = np.where(y[:, None] == np.arange(3), 1, -1)
        short = np.maximum(0, 1 - signs * (X @ kernel.T + bias))
        return 0.1 * (short**2).sum() + 0.5 * (kernel**2).sum()

    least = objective(head.coef_, head.intercept_)
    rng = np.random.default_rng(0)
    for _ in range(20):
        step = rng.normal(0, 0.01, head.coef_.shape)
        assert objective(head.coef_ + step, head.intercept_) > least
        assert objective(head.coef_, head.intercept_ + rng.normal(0, 0.01, 3)) > least


def test_a_centroid_with_a_large_threshold_sees_only_the_class_sizes():
    X, y = table()
    y = np.where(y == 2, 0, y)
    assert set(CentroidHead(1e6).fit(X, y).predict(X)) == {0}
    assert CentroidHead(0.0).fit(X, y).score(X, y) > 0.8


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("d", [12, 200])
@pytest.mark.parametrize("classes", [2, 3])
def test_shared_problems_score_and_fit_as_the_pipeline_alone_would(name, d, classes):
    X, y = table(d=d, classes=classes)
    training = Training(X, y, make_folds(y, np.arange(len(y)), 0))
    pipeline = find_head(name).pipeline(0).set_params(scale__power=0.5)
    if hasattr(pipeline["head"], "C"):
        pipeline.set_params(head__C=0.01)  # a minimum that is not flat
    fits = LinearFits(training, fold_tolerance=1e-6)
    scores, unfinished = fits.out_of_fold(pipeline)
    alone = balanced(
        cross_val_predict(pipeline, X, y, cv=training.folds, method="decision_function")
    )
    ours = balanced(scores) if classes > 2 else scores[:, 1] - scores[:, 0]
    assert unfinished == 0
    np.testing.assert_allclose(ours, alone, atol=3e-3 * np.abs(alone).max())

    shared, whole = fits.fit(pipeline), pipeline.fit(X, y)
    expected = balanced(whole.decision_function(X))
    np.testing.assert_allclose(
        balanced(shared.decision_function(X)), expected, atol=3e-3 * np.abs(expected).max()
    )


@pytest.mark.parametrize("name", LINEAR)
def test_rows_on_the_disk_give_the_same_as_rows_in_memory(name, tmp_path, monkeypatch):
    monkeypatch.setattr("headstart.cache.rows.BLOCK_BYTES", 12 * 4 * 7)  # seven rows a block
    X, y = table()
    store = FeatureStore(tmp_path, SPEC)
    digests = [bytes([row]) * 32 for row in range(len(y))]
    store.append(digests, X)
    stored = StoredRows(store, digests)
    folds = make_folds(y, np.arange(len(y)), 0)
    pipeline = find_head(name).pipeline(0)
    ours, theirs = (LinearFits(Training(rows, y, folds), 1e-6) for rows in (stored, X))
    expected = theirs.out_of_fold(pipeline)[0]
    np.testing.assert_allclose(
        ours.out_of_fold(pipeline)[0], expected, atol=1e-3 * np.abs(expected).max()
    )
    expected = theirs.fit(pipeline).decision_function(X)
    np.testing.assert_allclose(
        ours.fit(pipeline).decision_function(X), expected, atol=1e-3 * np.abs(expected).max()
    )
    assert list(tmp_path.rglob("*")) == [store.folder, *store.folder.glob("*.h5")]


@given(st.integers(0, 2**32 - 1), st.sampled_from([RidgeHead(), LogisticHead(), HingeHead()]))
def test_more_features_than_images_change_nothing_but_the_basis(seed, head):
    rng = np.random.default_rng(seed)
    X, y = table(n=24, d=6, seed=seed)
    turn = np.linalg.qr(rng.normal(size=(40, 6)))[0].T  # (6, 40), orthonormal rows
    one = head.fit(X, y).decision_function(X)
    other = head.fit((X @ turn).astype(np.float32), y).decision_function(X @ turn)
    np.testing.assert_allclose(one, other, atol=5e-3 * np.abs(one).max())


def test_a_class_without_training_rows_in_a_fold_is_never_first_there():
    X, y = table()
    others, rare = np.flatnonzero(y != 2), np.flatnonzero(y == 2)
    training = Training(X, y, [(others, rare), (rare, others)])
    scores, _ = LinearFits(training).out_of_fold(find_head("ridge").pipeline(0))
    assert np.isfinite(scores).all()
    assert (scores[rare][:, 2] <= scores[rare].min(axis=1)).all()


@pytest.mark.parametrize("C", [1.0, 100.0])
def test_on_classes_that_features_tell_apart_the_objective_is_the_least_to_a_millionth(C):
    rng = np.random.default_rng(0)
    y = np.arange(120) % 6
    X = (rng.normal(0, 1, (120, 200)) + 0.8 * np.eye(6, 200)[y]).astype(np.float32)
    pipeline = find_head("logreg").pipeline(0).set_params(head__C=C)
    folds = make_folds(y, np.arange(120), 0)
    fitted = LinearFits(Training(X, y, folds)).fit(pipeline)
    Z = fitted["scale"].transform(X.astype(np.float64))

    def objective(flat):
        kernel, bias = flat[:-6].reshape(-1, 6), flat[-6:]
        losses, slopes = logistic_loss(Z @ kernel + bias, y)
        slope = np.concatenate([(C * Z.T @ slopes + kernel).ravel(), C * slopes.sum(axis=0)])
        return C * losses.sum() + 0.5 * (kernel**2).sum(), slope

    ours = np.concatenate([fitted["head"].coef_.T.ravel(), fitted["head"].intercept_])
    assert (fitted.predict(X) == y).all()
    tight = {"maxiter": 50_000, "maxfun": 100_000, "ftol": 0, "gtol": 1e-9, "maxcor": 50}
    least = minimize(objective, np.zeros_like(ours), jac=True, method="L-BFGS-B", options=tight)
    assert objective(ours)[0] <= least.fun * (1 + 1e-6)


@pytest.mark.parametrize("name", ["ridge", "logreg", "linear-svm"])
def test_weighted_classes_get_the_scores_of_the_pipeline_alone(name):
    X, y = table(n=120)
    kept = np.concatenate(
        [np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:9], np.flatnonzero(y == 2)]
    )
    X, y = X[kept] * (1 + 4 * (y[kept] == 1)[:, None]), y[kept]  # the rare class widest by far
    pipeline = find_head(name).pipeline(0, class_weight="balanced")
    fits = LinearFits(Training(X, y, make_folds(y, np.arange(len(y)), 0)))
    ours = balanced(fits.fit(pipeline).decision_function(X))
    expected = balanced(pipeline.fit(X, y).decision_function(X))
    np.testing.assert_allclose(ours, expected, atol=1e-3 * np.abs(expected).max())


def test_solutions_that_others_start_from_are_few_however_many_strengths_are_tried():
    X, y = table()
    fits = LinearFits(Training(X, y, make_folds(y, np.arange(len(y)), 0)))
    pipeline = find_head("logreg").pipeline(0)
    for strength in np.logspace(-4, 2, 3 * KEPT_STRENGTHS):
        fits.out_of_fold(pipeline.set_params(head__C=strength))
    (known,) = fits._solutions.values()
    assert len(known) == KEPT_STRENGTHS
