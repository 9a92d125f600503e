"""Small networks in files, with random weights that are the same in every run."""

import json

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

from headstart.extract.backbone.loading import load_keras

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


def plain_keras(path, side=32):
    """Save what Keras' users do: Rescaling, a frozen network inside, a classifier of 5.

    Returns the file, and the user's own model from pixels to what its classifier sees.
    """
    keras = load_keras()
    keras.utils.set_random_seed(0)
    layers = keras.layers
    pixels = keras.Input((None, None, 3))
    maps = layers.Conv2D(4, 3, strides=2, activation="relu", name="low")(pixels)
    maps = layers.BatchNormalization()(maps)
    inner = keras.Model(pixels, layers.Conv2D(6, 3, activation="relu", name="high")(maps))
    inner.trainable = False
    images = keras.Input((side, side, 3))
    maps = inner(layers.Rescaling(1 / 127.5, offset=-1)(images), training=False)
    pooled = layers.GlobalAveragePooling2D()(maps)
    classes = layers.Dense(5, activation="softmax")(layers.Dropout(0.2, name="drop")(pooled))
    keras.Model(images, classes).save(path)
    return path, keras.Model(images, pooled)


def normalised_keras(path, side=32):
    """Save three convolutions with batch norm: what is cut and trained as MobileNet is, sooner."""
    keras = load_keras()
    keras.utils.set_random_seed(0)
    layers = keras.layers
    images = keras.Input((side, side, 3))
    maps = layers.Rescaling(1 / 127.5, offset=-1)(images)
    for name, width in (("low", 8), ("middle", 12), ("high", 16)):
        maps = layers.Conv2D(width, 3, strides=2, use_bias=False, name=name)(maps)
        maps = layers.BatchNormalization(name=f"{name}_bn")(maps)
        maps = layers.ReLU(name=f"{name}_relu")(maps)
    keras.Model(images, layers.GlobalAveragePooling2D()(maps)).save(path)
    return path


def hub_preset(folder, kind, side=32, interpolation="bicubic"):
    """Save a small preset with random weights as KerasHub does; return its network.

    It has no image converter, which KerasHub saves with a preprocessor: one is written beside it.
    """
    import keras_hub

    load_keras().utils.set_random_seed(0)
    network = HUB[kind](keras_hub.models, (side, side, 3))
    network.save_to_preset(str(folder))
    converter = keras_hub.layers.ImageConverter(
        image_size=(side, side),
        scale=[1 / 127.5] * 3,
        offset=[-1.0] * 3,
        interpolation=interpolation,
    )
    text = json.dumps({"config": converter.get_config()})
    (folder / "image_converter.json").write_text(text)
    return network


HUB = {
    "vit": lambda models, shape: models.ViTBackbone(
        image_shape=shape, patch_size=8, num_layers=3, num_heads=2, hidden_dim=8, mlp_dim=16
    ),
    "dinov2": lambda models, shape: models.DINOV2Backbone(
        image_shape=shape,
        position_embedding_shape=shape,
        patch_size=8,
        num_layers=3,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
    ),
    "resnet": lambda models, shape: models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
        image_shape=shape,
    ),
    "clip": lambda models, shape: models.CLIPBackbone(
        models.CLIPVisionEncoder(8, 8, 3, 2, 16, image_shape=shape),
        models.CLIPTextEncoder(50, 8, 8, 1, 2, 16, max_sequence_length=8),
        projection_dim=8,
    ),
    "siglip": lambda models, shape: models.SigLIPBackbone(
        models.SigLIPVisionEncoder(8, 8, 3, 2, 16, image_shape=shape),
        models.SigLIPTextEncoder(50, 8, 8, 1, 2, 16, max_sequence_length=8),
    ),
}
POOLINGS = {"vit": "cls", "dinov2": "cls", "resnet": "avg", "clip": "cls", "siglip": "flatten"}
