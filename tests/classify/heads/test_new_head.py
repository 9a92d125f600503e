"""A head is one row: everything else finds it there."""

import numpy as np
import pytest

from headstart.cache import FeatureSpec
from headstart.classify.compare.approaches import head_approach
from headstart.classify.data.folds import make_folds
from headstart.classify.explain.layers import head_layers
from headstart.classify.export.heads import is_native, scaled_features, scores
from headstart.classify.heads.fits import open_fits
from headstart.classify.heads.formulas import softmax
from headstart.classify.heads.search import fit_calibrated, tune
from headstart.classify.heads.table import HEADS, Head, describe_heads, find_heads
from headstart.classify.heads.training_rows import Training
from headstart.classify.saved.head_model import Model
from headstart.classify.saved.load import load_model as load
from headstart.extract.backbone.loading import load_tensorflow

SPEC = FeatureSpec("mobilenet", "0" * 64, ("top",), "avg", (8, 8), "crop", "n", "float32", 1)


@pytest.fixture
def softmax_head(monkeypatch):
    """The whole change that a new head takes."""
    row = Head(
        "softmax",
        "scikit-learn's own logistic regression",
        "sklearn.linear_model:LogisticRegression",
        {"head__C": [0.01, 0.1, 1.0]},
        arguments={"max_iter": 500},
        cost=7.0,
        operations="linear",
        layers="linear",
        weighs=True,
    )
    monkeypatch.setitem(HEADS, row.name, row)
    return row


def test_a_new_row_is_chosen_fitted_saved_loaded_exported_and_explained(softmax_head, tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    X = np.abs(rng.normal(0, 1, (90, 8)) + 2 * np.eye(3, 8)[y]).astype(np.float32)
    (head,) = find_heads(["softmax"])
    fits = open_fits(head, Training(X, y, make_folds(y, np.arange(90), 0)))
    choice = tune(head, fits, 0, class_weight="balanced")
    estimator = fit_calibrated(choice, fits).estimator
    model = Model("softmax", estimator, ["a", "b", "c"], SPEC, "imagenet", {})
    expected = model.predict_proba(X)
    assert (expected.argmax(axis=1) == y).mean() > 0.8

    model.save(tmp_path / "m.headstart")
    again = load(tmp_path / "m.headstart")
    np.testing.assert_allclose(again.predict_proba(X), expected, atol=1e-12)

    tensorflow = load_tensorflow()
    assert is_native(estimator)
    exported = scores(estimator, scaled_features(estimator, tensorflow.constant(X))).numpy()
    np.testing.assert_allclose(softmax(exported.astype(np.float64)), expected, atol=1e-5)

    layers = head_layers(again)
    np.testing.assert_allclose(softmax(layers.scores(X).astype(np.float64)), expected, atol=1e-5)


def test_a_new_row_is_in_the_help_and_in_the_time_that_a_comparison_takes(softmax_head):
    assert "softmax (scikit-learn's own logistic regression)" in describe_heads()
    assert head_approach(softmax_head, 0).typical == pytest.approx(7.0)
    assert softmax_head in find_heads(["auto"])


def test_every_row_names_operations_and_layers_that_there_are():
    from headstart.classify.explain.layers import _LAYERS
    from headstart.classify.export.heads import _OPERATIONS

    assert {row.operations for row in HEADS.values()} - {None} == set(_OPERATIONS)
    assert {row.layers for row in HEADS.values()} - {None} == set(_LAYERS)


def test_the_columns_say_what_the_estimators_can():
    for row in HEADS.values():
        assert row.weighs == ("class_weight" in row.make(0).get_params()), row.name
        assert row.streams == hasattr(row.make(0), "solve"), row.name
