"""Every native head gives the fitted estimator's probabilities, from the features on."""

import numpy as np
import pytest
from sklearn.base import clone

from headstart.classify.data.columns import TapSelector
from headstart.classify.export.heads import is_native, scaled_features, scores
from headstart.classify.heads.calibration import TemperatureScaled
from headstart.classify.heads.table import HEADS
from headstart.extract.backbone.loading import load_tensorflow

NATIVE = [name for name, row in HEADS.items() if row.saved == "skops"]

FEWER = {  # what keeps the test quick
    "dense": {"head__epochs": 3, "head__units": 8},
    "mlp": {"head__hidden_layer_sizes": (8,), "head__max_iter": 300, "head__tol": 1e-2},
    "random-forest": {"head__n_estimators": 3},
}


def features(k, views=1, n=90, d=24, seed=0):
    """Features like a backbone's: not negative, many zeros, k classes that overlap."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % k
    centres = random.normal(size=(k, d))
    X = centres[y][:, None] + random.normal(scale=1.5, size=(n, views, d))
    return np.maximum(X, 0).reshape(n, -1).astype(np.float32), y


def fitted(name, X, y, taps=None):
    pipeline = HEADS[name].pipeline(0, taps)
    if name in FEWER:
        pipeline.set_params(**FEWER[name])
    if "scale__power" in pipeline.get_params():
        pipeline.set_params(scale__power=0.5)
    whole = clone(pipeline).fit(X, y)
    scaled = TemperatureScaled(pipeline)
    scaled.estimator_, scaled.classes_, scaled.temperature_ = whole, whole.classes_, 1.7
    scaled.n_features_in_ = X.shape[1]
    return scaled


def native(estimator, X):
    tensorflow = load_tensorflow()
    told = scores(estimator, scaled_features(estimator, tensorflow.constant(X)))
    return tensorflow.nn.softmax(told).numpy()


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("name", NATIVE)
def test_the_probabilities_are_the_estimators(name, k):
    X, y = features(k)
    estimator = fitted(name, X, y)
    assert is_native(estimator)
    new, _ = features(k, seed=1)
    np.testing.assert_allclose(native(estimator, new), estimator.predict_proba(new), atol=2e-5)


@pytest.mark.parametrize("merge", ["first", "mean"])
@pytest.mark.parametrize("layers", [None, (1,), (0, 2)])
def test_layers_are_chosen_and_views_merged_as_at_training(layers, merge):
    X, y = features(3, views=2)
    estimator = fitted("logreg", X, y, TapSelector((6, 10, 8), 2, layers, merge))
    np.testing.assert_allclose(native(estimator, X), estimator.predict_proba(X), atol=2e-5)


def test_a_training_image_is_its_own_nearest_neighbour():
    X, y = features(3)
    estimator = fitted("knn", X, y)
    np.testing.assert_allclose(native(estimator, X), estimator.predict_proba(X), atol=1e-4)


def test_an_image_without_any_activation_has_an_answer():
    X, y = features(3)
    for name in ("gaussian-nb", "logreg"):
        estimator = fitted(name, X, y)
        zero = np.zeros((1, X.shape[1]), np.float32)
        np.testing.assert_allclose(
            native(estimator, zero), estimator.predict_proba(zero), atol=1e-5
        )


def test_trees_are_not_native_and_say_so():
    X, y = features(2)
    estimator = fitted("random-forest", X, y)
    assert not is_native(estimator)
    with pytest.raises(TypeError, match="is not native"):
        scores(estimator, X)
