"""A head's choice and fit depend on no other head, and leave nothing behind."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

from headstart.classify.data.folds import make_folds
from headstart.classify.heads.calibration import out_of_fold_scores
from headstart.classify.heads.dense import DenseHead
from headstart.classify.heads.fits import PipelineFits, one_thread_each, open_fits
from headstart.classify.heads.formulas import softmax
from headstart.classify.heads.linear import lbfgs, shared_sums
from headstart.classify.heads.search import fit_calibrated, tune
from headstart.classify.heads.table import HEADS, find_head
from headstart.classify.heads.training_rows import Training


def training(n=90, d=12):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    X = np.abs(rng.normal(0, 1.5, (n, d)) + 2 * np.eye(3, d)[y] + 1).astype(np.float32)
    return Training(X, y, make_folds(y, np.arange(n), 0))


def run(name, rows):
    """Choose and fit a head; its choice and what it says of each row."""
    fits = open_fits(find_head(name), rows)
    choice = tune(find_head(name), fits, 0)
    return choice, fit_calibrated(choice, fits).out_of_fold


@pytest.fixture
def work(monkeypatch):
    """Counts of what costs time: spans made, passes over the rows."""
    counts = {"spans": 0, "passes": 0}
    real_span, real_pass = shared_sums.span, lbfgs._Descent._evaluate

    def span(*args, **kind):
        counts["spans"] += 1
        return real_span(*args, **kind)

    def evaluate(self, flat, dtype):
        counts["passes"] += 1
        return real_pass(self, flat, dtype)

    monkeypatch.setattr(shared_sums, "span", span)
    monkeypatch.setattr(lbfgs._Descent, "_evaluate", evaluate)
    return counts


def test_a_heads_work_and_figures_do_not_depend_on_the_heads_before_it(work):
    rows = training()
    alone, said = run("logreg", rows)
    cost = dict(work)
    for name in ("ridge", "linear-svm", "logreg"):
        run(name, rows)
    before = dict(work)
    again, said_again = run("logreg", rows)
    assert min(cost.values()) > 0
    assert {name: work[name] - before[name] for name in work} == cost
    assert (again.params, again.cv) == (alone.params, alone.cv)
    np.testing.assert_array_equal(said_again, said)


@pytest.mark.parametrize("name", ["logreg", "lda", "knn"])
def test_nothing_but_the_choice_and_the_fit_outlives_a_head(name):
    rows = training()
    fits = open_fits(find_head(name), rows)
    choice = tune(find_head(name), fits, 0)
    calibrated = fit_calibrated(choice, fits)
    trace = weakref.ref(fits)
    del fits
    gc.collect()
    assert trace() is None
    assert calibrated.estimator.n_features_in_ == 12
    assert choice.cv["images"] == 90


def test_heads_that_cannot_stream_fit_pipelines():
    assert isinstance(open_fits(find_head("knn"), training()), PipelineFits)


class CountingBayes(GaussianNB):
    """Counts its fits."""

    fits = 0

    def fit(self, X, y):
        type(self).fits += 1
        return super().fit(X, y)


def test_what_chose_a_candidate_calibrates_it_without_another_fit(monkeypatch):
    row = replace(find_head("gaussian-nb"), estimator=f"{__name__}:CountingBayes")
    monkeypatch.setattr(CountingBayes, "fits", 0)
    rows = training()
    fits = open_fits(row, rows)
    choice = tune(row, fits, 0)
    candidates = choice.cv["candidates"]
    assert CountingBayes.fits == candidates * len(rows.folds)
    fitting = fit_calibrated(choice, fits)
    assert CountingBayes.fits == candidates * len(rows.folds) + 1
    scores = out_of_fold_scores(choice.pipeline, rows.X, rows.y, rows.folds)
    scaled = softmax(scores / fitting.estimator.temperature_)
    np.testing.assert_allclose(fitting.out_of_fold, scaled, rtol=1e-6)


def test_with_weighted_classes_the_choice_counts_each_class_alike_and_says_what_it_means():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [90, 10])
    X = (rng.normal(0, 1, (100, 6)) + 1.2 * y[:, None] * np.eye(1, 6)).astype(np.float32)
    rows = Training(X, y, make_folds(y, np.arange(100), 0))
    head = find_head("logreg")
    fits = open_fits(head, rows)
    choice = tune(head, fits, 0, class_weight="balanced")
    out_of_fold = fit_calibrated(choice, fits).out_of_fold
    right = out_of_fold.argmax(axis=1) == y
    recall = np.mean([right[y == label].mean() for label in (0, 1)])
    assert choice.cv["metric"] == "balanced_accuracy"
    assert choice.cv["mean"] == pytest.approx(recall, abs=1e-9)
    assert "each class is equally frequent" in choice.warnings[-1]
    # As if there were as many of each: both classes are said to be about as likely.
    weights = np.where(y == 1, 9, 1)
    assert np.average(out_of_fold[:, 1], weights=weights) == pytest.approx(0.5, abs=0.06)


class Spy(DenseHead):
    """Keeps what it trains on and what it holds out apart, instead of training."""

    seen: list = []  # noqa: RUF012 - clones share it

    def _train(self, X, y, X_held_out, y_held_out):
        self.seen.append((X[:, 0].astype(int), X_held_out[:, 0].astype(int)))
        k = len(self.classes_)
        self.weights_ = [np.zeros((X.shape[1], 1)), np.zeros(1), np.zeros((1, k)), np.zeros(k)]


def test_a_head_that_holds_out_a_part_of_its_own_parts_no_group():
    n = 96
    y, groups = np.arange(n) // 2 % 3, np.arange(n) // 2  # pairs
    X = np.stack([groups, y], axis=1).astype(np.float32)
    head = HEADS["dense"]
    fits = open_fits(head, Training(X, y, make_folds(y, groups, 0), groups))
    pipeline = head.pipeline(0).set_params(head=Spy())
    pipeline.steps.pop(0)  # no scaler: the first column stays the group
    Spy.seen.clear()
    with one_thread_each():
        fits.out_of_fold(pipeline)
        fits.fit(pipeline)
    assert len(Spy.seen) == len(fits.training.folds) + 1
    for trained, held in Spy.seen:
        assert len(held) > 0
        assert not set(trained) & set(held)


def test_folds_of_support_vectors_have_the_scores_of_scikit_learns_own_kernel():
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    X = (rng.normal(0, 1, (90, 8)) + np.eye(3, 8)[y]).astype(np.float32)
    training = Training(X, y, make_folds(y, np.arange(90), 0))
    pipeline = HEADS["svm"].pipeline(0)
    scores, _ = open_fits(HEADS["svm"], training).out_of_fold(pipeline)
    expected = out_of_fold_scores(pipeline, X, y, training.folds)
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    assert pipeline["head"].kernel == "rbf", "what is fitted in the end can be saved"
