"""Heads see the layers and views that they are told to see."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from headstart.classify.data.columns import TapSelector
from headstart.classify.data.table import load_table
from headstart.classify.fit.fit_head import fit_head
from headstart.classify.heads.calibration import TemperatureScaled, softmax
from headstart.classify.heads.table import HEADS
from headstart.classify.saved.linear_layer import linear_layer
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source

# Two views of layers with 1, 2 and 3 columns; the second view is 100 more.
VIEW = np.array([[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]], dtype=np.float32)
BOTH = np.concatenate([VIEW, VIEW + 100], axis=1)


@parametrize_with_checks([TapSelector()])
def test_the_selector_keeps_scikit_learns_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (VIEW + 50) / 3),
        ({"merge": "first"}, VIEW / 3),
        ({"layers": (1,)}, VIEW[:, 1:3] + 50),
        ({"layers": (2, 0), "merge": "first"}, VIEW[:, [3, 4, 5, 0]] / 3),
    ],
)
def test_columns_of_the_chosen_layers_and_views_come_out(options, expected):
    selector = TapSelector(widths=(1, 2, 3), views=2, **options)
    # All columns differ by 6, so that the root mean square of each layer is 3; one alone stays.
    np.testing.assert_allclose(selector.fit_transform(BOTH), expected)


def test_widths_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match=r"2 views of \(1, 2\) columns make 6, X has 12"):
        TapSelector(widths=(1, 2), views=2).fit(BOTH)


def test_a_head_on_mirrored_views_folds_into_one_linear_layer(photographs, fake_engine, tmp_path):
    source = feature_source(Recipe(views="original,flip"), Execution(cache=tmp_path))
    table = load_table(read_dataset(photographs), source)
    assert table.X.shape == (30, 24)
    fitted = fit_head(HEADS["logreg"], table, seed=0)
    kernel, bias = linear_layer(fitted.estimator)
    power = fitted.choice.params["power"]
    mean = (table.X[:, :12] + table.X[:, 12:]) / 2
    scores = mean**power @ kernel + bias
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.estimator.predict_proba(table.X), expected, atol=1e-5)


def test_a_layer_with_large_numbers_does_not_drown_another():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3)) * [1000.0, 1.0, 1.0]
    spreads = TapSelector(widths=(1, 2)).fit_transform(X).std(axis=0)
    assert spreads.max() < 1.5 * spreads.min()


def test_a_head_on_some_of_several_layers_folds_into_one_linear_layer():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = np.abs(rng.normal(1, 0.5, (60, 9)) + 2 * np.eye(3, 9, 6)[y]) * ([50] * 3 + [1] * 6)
    taps = TapSelector(widths=(3, 2, 4), layers=(0, 2))
    pipeline = HEADS["ridge"].pipeline(0, taps).set_params(scale__power=0.5)
    estimator = TemperatureScaled(pipeline, cv=3).fit(X, y)
    kernel, bias = linear_layer(estimator)
    assert not kernel[3:5].any()
    np.testing.assert_allclose(
        softmax(np.sqrt(X) @ kernel + bias), estimator.predict_proba(X), atol=1e-5
    )
