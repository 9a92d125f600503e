"""Small networks in files, with random weights that are the same in every run."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

KINDS = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8}


def tiny_onnx(
    path, *, first=True, side=32, batch="n", kind="float32", inputs=("image",), domain="", seed=0
):
    """Write a network of one convolution: maps (6, 8, 8), tokens (64, 6), a vector of 6.

    ``first`` tells whether it takes channels first, ``side`` may be None.
    """
    random = np.random.default_rng(seed)
    size = side or "side"
    shape = [batch, 3, size, size] if first else [batch, size, size, 3]
    pixels = helper.make_tensor_value_info("image", KINDS[kind], shape)
    others = [helper.make_tensor_value_info(name, KINDS[kind], shape) for name in inputs[1:]]
    nodes = [helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT)]
    if not first:
        nodes.append(helper.make_node("Transpose", ["pixels"], ["planes"], perm=[0, 3, 1, 2]))
    source = "pixels" if first else "planes"
    nodes += [
        helper.make_node("Conv", [source, "kernel"], ["conv"], "convolution", strides=[4, 4]),
        helper.make_node("Relu", ["conv"], ["maps"], "activation", domain=domain),
        helper.make_node("Reshape", ["maps", "flat"], ["columns"]),
        helper.make_node("Transpose", ["columns"], ["tokens"], perm=[0, 2, 1]),
        helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["vector"]),
    ]
    weights = [
        numpy_helper.from_array(random.normal(size=(6, 3, 4, 4)).astype(np.float32), "kernel"),
        numpy_helper.from_array(np.int64([0, 6, -1]), "flat"),
    ]
    outputs = [helper.make_tensor_value_info("maps", TensorProto.FLOAT, None)]
    outputs.append(helper.make_tensor_value_info("tokens", TensorProto.FLOAT, None))
    graph = helper.make_graph(nodes, "tiny", [pixels, *others][: len(inputs)], outputs, weights)
    opsets = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path
