"""Convolutions of an ONNX model in 8 bits: smaller, and close to what they were."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from headstart.classify.export.onnx_quantize import activations_in_8_bits, weights_in_8_bits

WIDTH = 16


@pytest.fixture(scope="module")
def network():
    """Images of any size: a convolution, a depthwise one, the mean over the map."""
    random = np.random.default_rng(0)
    kernels = {
        "first": random.normal(size=(WIDTH, 3, 3, 3))
        * np.logspace(0, 2, WIDTH)[:, None, None, None],
        "depthwise": random.normal(size=(WIDTH, 1, 3, 3)),
    }
    kernels["first"][0] = 0  # a channel that was pruned
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "first"], ["wide"], name="conv"),
        helper.make_node("Relu", ["wide"], ["active"]),
        helper.make_node("Conv", ["active", "depthwise"], ["deep"], name="dw", group=WIDTH),
        helper.make_node("ReduceMean", ["deep"], ["features"], axes=[2, 3], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", "h", "w", 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", WIDTH])],
        [numpy_helper.from_array(k.astype(np.float32), name) for name, k in kernels.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def images(seed, count=8):
    return np.random.default_rng(seed).integers(0, 256, (count, 20, 30, 3), dtype=np.uint8)


def run(model, batch):
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"images": batch})[0]


def kinds(model):
    arrays = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    return {name: array.dtype for name, array in arrays.items() if array.ndim == 4}


def test_weights_are_kept_in_int8_with_a_scale_for_each_channel(network):
    small = weights_in_8_bits(network)
    onnx.checker.check_model(small)
    assert set(kinds(small).values()) == {np.dtype(np.int8)}
    exact, rounded = run(network, images(1)), run(small, images(1))
    np.testing.assert_allclose(rounded, exact, rtol=0.03, atol=0.01 * np.abs(exact).mean())


def test_activations_are_rounded_too_but_not_around_depthwise_convolutions(network):
    small = activations_in_8_bits(network, list(images(2)))
    types = sorted(map(str, kinds(small).values()))
    assert types == ["float32", "int8"]
    exact, rounded = run(network, images(1)), run(small, images(1))
    assert np.linalg.norm(rounded - exact) < 0.05 * np.linalg.norm(exact)


def test_the_quantiser_says_nothing(network, capfd):
    activations_in_8_bits(network, list(images(2, count=2)))
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
