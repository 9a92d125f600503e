"""Every head of the table; choice, calibration and final fit on training data."""

import functools
import warnings
from dataclasses import replace

import joblib
import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from headstart.cache import FeatureSpec
from headstart.classify.data.columns import TapSelector
from headstart.classify.data.folds import make_folds
from headstart.classify.heads.dense import DenseHead
from headstart.classify.heads.fits import open_fits
from headstart.classify.heads.scaler import PowerScaler
from headstart.classify.heads.search import fit_calibrated, tune, tune_layers
from headstart.classify.heads.table import HEADS, PROBE, find_head, find_heads
from headstart.classify.heads.training_rows import Training
from headstart.classify.heads.trials import standard_error
from headstart.classify.saved.head_model import Model, trained_parameters
from headstart.classify.saved.linear_layer import linear_layer
from headstart.classify.saved.load import load_model
from headstart.errors import ModelError, OptionError

SPEC = FeatureSpec("mobilenet", "0" * 64, ("top",), "avg", (8, 8), "crop", "n", "float32", 1)


def clouds(classes=3, each=24, spread=0.8, seed=0):
    """Return overlapping clouds in 6 dimensions: features, labels, groups."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(classes), each)
    X = rng.normal(0, spread, (len(y), 6)) + 2 * np.eye(classes, 6)[y] + 3
    return X.astype(np.float32), y, np.arange(len(y))


def fitted(name, classes=3, **kind):
    """Return choice, estimator and data of a head; to be looked at, not changed."""
    return _fitted(name, classes, tuple(kind.items()))


@functools.cache
def _fitted(name, classes, kind):
    X, y, groups = clouds(classes, **dict(kind))
    fits = open_fits(find_head(name), Training(X, y, make_folds(y, groups, 0)))
    choice = tune(find_head(name), fits, 0)
    return choice, fit_calibrated(choice, fits).estimator, X, y


@pytest.fixture(autouse=True)
def _quick_dense(monkeypatch):
    quick = replace(HEADS["dense"], arguments={"units": 16, "learning_rate": 0.03, "epochs": 12})
    monkeypatch.setitem(HEADS, "dense", quick)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", list(HEADS))
@pytest.mark.parametrize("classes", [2, 3])
def test_every_head_learns_is_saved_and_comes_back_the_same(name, classes, tmp_path):
    choice, estimator, X, y = fitted(name, classes)
    probabilities = estimator.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)
    assert (probabilities.argmax(axis=1) == y).mean() > 0.8
    assert 0.5 < choice.cv["mean"] <= 1

    path = tmp_path / "m.headstart"
    Model(name, estimator, ["a", "b", "c"][:classes], SPEC, "imagenet", {}).save(path)
    again = load_model(path, trust_joblib=HEADS[name].saved == "joblib")
    assert (again.classes, again.spec) == (["a", "b", "c"][:classes], SPEC)
    np.testing.assert_allclose(again.predict_proba(X), probabilities, rtol=1e-6)


@pytest.mark.parametrize("name", ["logreg", "ridge", "linear-svm"])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_linear_head_is_one_softmax_layer(name, classes):
    _, estimator, X, _ = fitted(name, classes)
    kernel, bias = linear_layer(estimator)
    power = estimator.estimator_["scale"].power
    logits = np.copysign(np.abs(X) ** power, X) @ kernel + bias
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = exponents / exponents.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(estimator.predict_proba(X), expected, atol=1e-5)


def test_a_head_that_is_not_linear_is_refused_by_name():
    with pytest.raises(ModelError, match="KNeighborsClassifier is not one linear layer"):
        linear_layer(fitted("knn")[1])


def test_trained_parameters_are_the_numbers_that_training_sets():
    assert trained_parameters(fitted("logreg")[1]) == 3 * (6 + 1)
    assert trained_parameters(fitted("knn")[1]) == 0
    assert trained_parameters(fitted("centroid")[1]) == 3 * (6 + 1)
    assert trained_parameters(fitted("gaussian-nb")[1]) == 2 * 3 * 6
    assert trained_parameters(fitted("dense")[1]) == 16 * (6 + 1) + 3 * (16 + 1)


def test_an_unknown_head_is_told_with_its_neighbour():
    with pytest.raises(OptionError, match=r"unknown head 'logref'; did you mean 'logreg'\?"):
        find_head("logref")


def test_folds_hold_every_row_once_and_never_part_a_group():
    _, y, _ = clouds(each=20)
    groups = np.arange(60) // 2
    folds = make_folds(y, groups, 0)
    assert sorted(np.concatenate([held for _, held in folds])) == list(range(60))
    for train, held in folds:
        assert not set(groups[train]) & set(groups[held])


def test_small_classes_get_fewer_folds():
    y = np.array([0] * 10 + [1] * 3)
    assert len(make_folds(y, np.arange(13), 0)) == 3


def test_ties_go_to_the_most_regularised_and_the_edge_is_told():
    choice, *_ = fitted("logreg", 2, spread=0.01, each=25)  # folds of equal classes
    assert choice.cv["mean"] == 1.0
    assert choice.params == {"C": 1e-6, "power": 1.0}
    assert "logreg: the chosen C = 1e-06 lies at the edge of the range 1e-06 to 100000" in (
        choice.warnings
    )


def test_a_head_without_an_error_out_of_fold_keeps_its_own_confidence():
    estimator = fitted("logreg", 2, spread=0.01)[1]
    assert estimator.temperature_ >= 1


def test_the_same_seed_gives_the_same_dense_head():
    X, y, _ = clouds()
    one, two = (DenseHead(8, epochs=3, random_state=5).fit(X, y) for _ in range(2))
    np.testing.assert_allclose(one.predict_proba(X), two.predict_proba(X), rtol=1e-5)


def test_dense_heads_fitted_side_by_side_are_those_fitted_one_by_one_and_reseed_nobody():
    X, y, _ = clouds()
    np.random.seed(3)  # noqa: NPY002 - the caller's own
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    jobs = [joblib.delayed(DenseHead(8, epochs=2, random_state=seed).fit)(X, y) for seed in (0, 1)]
    together = joblib.Parallel(2, backend="threading")(jobs)
    for seed, head in enumerate(together):
        alone = DenseHead(8, epochs=2, random_state=seed).fit(X, y)
        np.testing.assert_allclose(head.predict_proba(X), alone.predict_proba(X), rtol=1e-4)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_numpy_predicts_what_the_keras_network_would():
    import keras

    X, y, _ = clouds()
    head = DenseHead(8, epochs=3).fit(X, y)
    network = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    network.set_weights(head.weights_)
    np.testing.assert_allclose(head.predict_proba(X), network.predict(X, verbose=0), atol=1e-5)


@parametrize_with_checks([PowerScaler(), PowerScaler(power=0.5)])
def test_the_scaler_keeps_scikit_learns_contract(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


@parametrize_with_checks([DenseHead(units=32, epochs=8, learning_rate=0.05, batch_size=16)])
def test_the_dense_head_keeps_scikit_learns_contract(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


def test_the_walk_from_coarse_to_fine_finds_the_best_of_all_values():
    X, y, groups = clouds(spread=1.6, each=60)
    head = find_head("logreg")
    fits = open_fits(head, Training(X, y, make_folds(y, groups, 0)))
    walked = tune(head, fits, 0)
    values = head.path["head__C"]
    whole = replace(head, path={}, search={"head__C": values, **head.search})
    exhaustive = tune(whole, fits, 0)
    assert len(values) == 45
    assert exhaustive.cv["candidates"] == 90
    assert walked.cv["candidates"] < 30
    assert walked.cv["mean"] >= exhaustive.cv["mean"] - standard_error(
        exhaustive.cv["std"], exhaustive.cv["folds"]
    )


def test_auto_is_the_fast_heads_and_all_is_all_cheapest_first():
    order = list(HEADS)
    assert [head.name for head in find_heads(["all"])] == order
    assert [head.name for head in find_heads(["auto"])] == order[:8]
    assert [head.name for head in find_heads(["svm", "ridge", "svm"])] == ["ridge", "svm"]
    with pytest.raises(OptionError, match="unknown head 'aut'; did you mean 'auto'"):
        find_heads(["aut"])


def test_balanced_classes_help_the_rare_one():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [190, 10])
    X = rng.normal(0, 1, (200, 6)).astype(np.float32) + 1.2 * y[:, None] * np.eye(1, 6)
    recalls = []
    for weight in (None, "balanced"):
        pipeline = find_head("logreg").pipeline(0, class_weight=weight)
        recalls.append((pipeline.fit(X, y).predict(X)[y == 1] == 1).mean())
    assert recalls[1] > recalls[0] + 0.2


def test_a_head_that_cannot_weigh_classes_is_refused_by_name():
    with pytest.raises(OptionError, match=r"knn cannot weigh classes; .* works with ridge, logreg"):
        find_head("knn").pipeline(0, class_weight="balanced")


@pytest.mark.parametrize("name", ["lda", "centroid", "knn"])
def test_layers_that_tell_nothing_are_left_out_and_views_are_averaged_where_that_helps(name):
    X, y, groups = clouds(each=40, spread=2.2)
    noise = np.random.default_rng(1).normal(0, 30, (len(y), 6)).astype(np.float32)
    other, *_ = clouds(each=40, spread=2.2, seed=1)  # the same classes seen again
    both = np.concatenate([noise, X, noise, other], axis=1)
    training = Training(np.abs(both), y, make_folds(y, groups, 0))
    head = find_head(name)
    taps = TapSelector(widths=(6, 6), views=2)
    chosen = tune_layers(head, open_fits(head, training), 0, taps)
    assert (chosen.layers, chosen.merge) == ((1,), "mean")


def test_what_fine_tuning_starts_from_is_the_most_regularised_within_one_standard_error():
    X, y, groups = clouds(spread=1.6, each=60)
    training = Training(X, y, make_folds(y, groups, 0))
    best = tune(replace(PROBE, one_se=False), open_fits(PROBE, training), 0)
    cautious = tune(PROBE, open_fits(PROBE, training), 0)
    assert cautious.params["C"] <= best.params["C"]
    assert (
        cautious.cv["mean"]
        >= best.cv["mean"] - standard_error(best.cv["std"], best.cv["folds"]) - 1e-9
    )
