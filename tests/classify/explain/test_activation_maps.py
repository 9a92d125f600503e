"""The arithmetic of explanations: heads as layers, maps that add up, maps on photographs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.cache import FeatureSpec
from headstart.classify.data.columns import TapSelector
from headstart.classify.explain.activation_maps import class_activation, grad_cam, is_exact
from headstart.classify.explain.heat import Map, evidence, find_box, lay_out, share_inside
from headstart.classify.explain.layers import HeadLayers, head_layers
from headstart.classify.explain.method import choose_method
from headstart.classify.explain.score import scorer
from headstart.classify.heads.calibration import TemperatureScaled, softmax
from headstart.classify.heads.table import HEADS
from headstart.classify.saved.head_model import Model
from headstart.errors import OptionError
from headstart.extract.decode.frame import Frame

SPEC = FeatureSpec("fake", "0" * 64, ("low", "top"), "avg", (8, 8), "crop", "none", "float32", 1)
RANDOM = np.random.default_rng(0)
WIDTHS = (3, 5)


def model_of(name, classes=3, views=2, power=None, merge="mean"):
    """Fit one head of the table on two layers and some views of generated features."""
    y = np.repeat(np.arange(classes), 15)
    X = RANDOM.gamma(2.0, size=(len(y), 8 * views)) + 0.8 * RANDOM.random((classes, 8 * views))[y]
    pipeline = HEADS[name].pipeline(0, TapSelector(WIDTHS, views, merge=merge))
    if power is not None:
        pipeline.set_params(scale__power=power)
    fitted = TemperatureScaled(pipeline, cv=2).fit(X.astype(np.float32), y)
    names = [f"class {c}" for c in range(classes)]
    spec = replace(SPEC, views=("original", "flip")[:views])
    return Model(name, fitted, names, spec, "imagenet", {}), X.astype(np.float32)


def random_maps(head, sizes=((4, 4), (2, 2))):
    return [
        [
            RANDOM.random((*size, width)).astype(np.float32)
            for size, width in zip(sizes, WIDTHS, strict=True)
        ]
        for _ in head.views
    ]


def features_of(maps):
    return np.concatenate([one.mean(axis=(0, 1)) for view in maps for one in view])[None]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("merge", ["mean", "first"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    ("name", "power"),
    [
        ("logreg", 1.0),
        ("logreg", 0.5),
        ("ridge", 0.5),
        ("lda", 1.0),
        ("centroid", 1.0),
        ("linear-svm", 1.0),
        ("mlp", 0.5),
    ],
)
def test_a_head_as_layers_gives_its_probabilities(name, power, classes, merge):
    model, X = model_of(name, classes, power=power, merge=merge)
    head = head_layers(model)
    np.testing.assert_allclose(softmax(head.scores(X)), model.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(head.scores(X).sum(axis=1), 0, atol=1e-3)


@pytest.mark.slow  # Keras trains it, again in each fold
def test_a_dense_head_as_layers_gives_its_probabilities():
    model, X = model_of("dense")
    head = head_layers(model)
    assert [kernel.shape for kernel, _ in head.layers] == [(8, 256), (256, 3)]
    np.testing.assert_allclose(softmax(head.scores(X)), model.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("name", ["knn", "svm", "gaussian-nb", "random-forest", "hist-gb"])
def test_other_heads_have_no_layers_and_are_explained_by_occlusion(name):
    model, X = model_of(name)
    assert head_layers(model) is None
    assert choose_method("auto", model, None).method == "occlusion"
    for method, other in (("cam", "occlusion"), ("grad-cam", "occlusion")):
        with pytest.raises(OptionError, match=rf"{name} has no gradient .* --method {other}"):
            choose_method(method, model, None)
    scores = np.stack([scorer(model, at)(X) for at in range(3)], axis=1)
    agree = scores.argmax(axis=1) == model.predict_proba(X).argmax(axis=1)
    assert agree.mean() > 0.9  # votes of a kernel's pairs may tie


@pytest.mark.parametrize("at", [0, 2])
def test_class_activation_maps_of_all_layers_and_views_add_up_to_the_score(at):
    head = head_layers(model_of("logreg", power=1.0)[0])
    maps = random_maps(head)
    found = class_activation(maps, head, at)
    assert [one.shape for one in found] == [(4, 4), (2, 2)] * 2
    total = sum(one.mean() for one in found) + head.layers[0][1][at]
    assert total == pytest.approx(head.scores(features_of(maps))[0, at], abs=1e-4)


def test_the_map_of_a_flattened_layer_adds_up_too():
    kernel = RANDOM.normal(size=(2 * 3 * 4, 2)).astype(np.float32)
    head = HeadLayers("flatten", (1.0,), 1.0, [(kernel, np.array([0.5, -0.5], np.float32))])
    layer = RANDOM.random((2, 3, 4)).astype(np.float32)
    found = class_activation([[layer]], head, 1)
    assert found[0].mean() - 0.5 == pytest.approx(head.scores(layer.reshape(1, -1))[0, 1], abs=1e-5)


def test_grad_cam_of_a_linear_head_on_averages_is_its_class_activation_map():
    head = head_layers(model_of("logreg", power=1.0)[0])
    maps = random_maps(head)
    for one, other in zip(grad_cam(maps, head, 1), class_activation(maps, head, 1), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_grad_cam_of_a_root_adds_up_to_half_the_score():
    head = head_layers(model_of("logreg", power=0.5)[0])
    assert choose_method("auto", model_of("logreg", power=0.5)[0], head).method == "grad-cam"
    maps = random_maps(head)
    for view in maps:
        view[0][..., 1] = 0  # a silent channel, where the root is infinitely steep
    expected = (head.scores(features_of(maps)) - head.layers[0][1])[0, 2] / 2
    assert sum(one.mean() for one in grad_cam(maps, head, 2)) == pytest.approx(expected, rel=1e-3)


def test_grad_cam_of_maximum_pooling_weighs_a_channel_by_its_own_weight():
    kernel = np.array([[1.0, -1.0], [-2.0, 2.0]], np.float32)
    head = HeadLayers("max", (1.0,), 1.0, [(kernel, np.zeros(2, np.float32))])
    assert not is_exact(head)
    layer = RANDOM.random((3, 3, 2)).astype(np.float32)
    found = grad_cam([[layer]], head, 0)[0]
    np.testing.assert_allclose(found, layer[..., 0] - 2 * layer[..., 1], rtol=1e-5)


def test_the_most_exact_method_that_a_head_allows_is_chosen_and_its_reason_told():
    linear, rooted = (model_of("logreg", power=power)[0] for power in (1.0, 0.5))
    assert choose_method("auto", linear, head_layers(linear)).method == "cam"
    told = choose_method("auto", rooted, head_layers(rooted))
    assert told.why == "logreg is linear on features raised to the power 0.5"
    with pytest.raises(OptionError, match=r"sums over places, but logreg .* --method grad-cam"):
        choose_method("cam", rooted, head_layers(rooted))
    with pytest.raises(OptionError, match="unknown method 'gradcam'; did you mean 'grad-cam'"):
        choose_method("gradcam", rooted, head_layers(rooted))
    assert choose_method("occlusion", linear, head_layers(linear)).why == "it was asked for"


@given(st.floats(0, 0.6), st.floats(0, 0.6), st.floats(0.3, 0.4), st.booleans(), st.integers(1, 7))
def test_what_is_laid_on_the_photograph_keeps_its_sum(left, top, side, mirrored, cells):
    values = np.random.default_rng(cells).random((cells, cells))
    one = Map(values, Frame(left, top, left + side, top + side, mirrored))
    grid = lay_out([one, one], 500, 400)
    assert np.nansum(grid) / grid.size == pytest.approx(2 * values.mean(), rel=0.03)


def test_a_mirrored_map_is_laid_mirrored():
    values = np.array([[1.0, 0.0, 0.0, 0.0]])
    grid = lay_out([Map(values, Frame(0, 0, 1, 1, mirrored=True))], 4, 1)
    assert grid.argmax() == 3


def test_the_box_goes_round_the_largest_region_and_counts_the_evidence_inside():
    grid = np.zeros((10, 10))
    grid[1:3, 1:4], grid[8, 8], grid[0, 0] = 1.0, 5.0, np.nan
    grid[5] = -1
    assert find_box(grid) == (0.1, 0.1, 0.4, 0.3)
    assert share_inside(grid, (0.1, 0.1, 0.4, 0.3)) == pytest.approx(6 / 11)
    assert find_box(-np.ones((3, 3))) is None
    assert evidence(np.array([[np.nan, -1.0, 2.0]])).tolist() == [[0.0, 0.0, 2.0]]
