"""The table of backbones: each row binds a network to its preprocessing and weights."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import OptionError, unknown
from .pretrained import Pretrained, check_fit
from .tensorflow import load_keras

BUNDLED = Path(__file__).parent / "weights"


@dataclass(frozen=True, slots=True)
class Backbone:
    """One row of the table.

    Parameters
    ----------
    name : str
        What ``--backbone`` takes.
    module : str
        Module of ``keras.applications`` that has both the builder and its
        ``preprocess_input``: bound together, they cannot be mixed up.
    builder : str
        Function in that module.
    input_size : tuple of int
        Height and width, in pixels.
    layer : str
        Where features are tapped unless told otherwise: the last layer.
    last_block : str
        First layer of the last block, the one that fine-tuning unfreezes.
    imagenet : Pretrained
        Where the ImageNet weights without the classifier come from.
    """

    name: str
    module: str
    builder: str
    input_size: tuple[int, int]
    layer: str
    last_block: str
    imagenet: Pretrained

    @property
    def preprocessing(self) -> str:
        """Full name of the function that scales pixels for this network."""
        return f"keras.applications.{self.module}.preprocess_input"

    def preprocess(self, images: Any) -> Any:
        """Scale pixels, float32 in 0 to 255, RGB, as this network was trained with."""
        return self._function("preprocess_input")(images)

    def build(self) -> Any:
        """Return the Keras network without classifier, randomly initialised."""
        load_keras()
        return self._function(self.builder)(
            include_top=False, weights=None, input_shape=(*self.input_size, 3)
        )

    def load(self, weights: Path) -> Any:
        """Return the Keras network with the weights of this file.

        Raises
        ------
        WeightsError
            If a layer is missing or has another shape, by name.
        """
        network = self.build()
        check_fit(network, weights, self.name)
        network.load_weights(weights)
        return network

    def _function(self, name: str) -> Callable[..., Any]:
        module = importlib.import_module(f"keras.applications.{self.module}")
        function: Callable[..., Any] = getattr(module, name)
        return function


_KERAS_FILES = "https://storage.googleapis.com/tensorflow/keras-applications"

BACKBONES = {
    row.name: row
    for row in (
        Backbone(
            name="mobilenet",
            module="mobilenet",
            builder="MobileNet",
            input_size=(224, 224),
            layer="conv_pw_13_relu",
            last_block="conv_dw_13",
            imagenet=Pretrained(bundled=BUNDLED / "mobilenet_1_0_224_notop.weights.h5"),
        ),
        Backbone(
            name="vgg16",
            module="vgg16",
            builder="VGG16",
            input_size=(224, 224),
            layer="block5_pool",
            last_block="block5_conv1",
            imagenet=Pretrained(
                url=f"{_KERAS_FILES}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
                md5="6d6bbae143d832006294945121d1f1fc",
            ),
        ),
    )
}


def find_backbone(name: str) -> Backbone:
    """Return the row of this name.

    Raises
    ------
    OptionError
        If there is none; the message lists the valid names.
    """
    if name not in BACKBONES:
        raise unknown("backbone", name, list(BACKBONES))
    return BACKBONES[name]


def layer_before(network: Any, name: str) -> str:
    """Return the name of the layer that feeds ``name``: the freeze boundary below it.

    Padding that belongs to the layer goes with it.

    Raises
    ------
    OptionError
        If the network has no such layer, or it is the first.
    """
    names = [layer.name for layer in network.layers]
    if name not in names:
        raise unknown("layer", name, names)
    at = names.index(name)
    if at == 0:
        raise OptionError(f"layer {name!r} is the input: nothing lies before it")
    below: str = names[at - 1]
    return layer_before(network, below) if below.startswith("conv_pad") else below
