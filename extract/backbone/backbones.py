"""The table of backbones: each row binds a network to its preprocessing and weights."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...cache.spec import FeatureSpec
from ...errors import OptionError, unknown
from .backbone import IN_FILE, Backbone
from .file_network import file_network_of, find_file_network
from .keras_applications import ROWS, Row
from .loading import load_keras
from .network_file import is_file, open_file
from .preprocessing import Declared
from .weights import Pretrained, file_sha256, find_weights
from .weights_fit import check_fit, readable_with_lock, snake_case

BUNDLED = Path(__file__).parents[1] / "weights"
TOP = "top"  # the network's own output, whatever its last layer is called
PIXELS = "pixels"  # the decoded image itself: the layer below all layers

# Modules whose networks have one layer more where Keras itself loads the ImageNet weights: it
# divides by the root of the channels' standard deviations, which those weights were trained with.
RESCALED = ("efficientnet",)
STANDARD_DEVIATIONS = (0.229, 0.224, 0.225)

# Sides that a network without its classifier takes as well, where its weights know no size.
SIZES = (64, 96, 128, 160, 192, 224, 256, 288, 320)


@dataclass(frozen=True, slots=True, kw_only=True)
class Application(Backbone):
    """One row of the table: a network of ``keras.applications``.

    Parameters
    ----------
    module : str
        Module of ``keras.applications`` that has this network's
        ``preprocess_input``: bound together, they cannot be mixed up.
    builder : str
        Function in ``keras.applications``.
    imagenet : Pretrained
        Where the ImageNet weights without the classifier come from.
    """

    module: str
    builder: str
    imagenet: Pretrained

    @property
    def preprocessing(self) -> str:
        """Full name of the function that scales pixels for this network, and what its graph adds."""
        added = "+rescaling" if self.module in RESCALED else ""
        return f"keras.applications.{self.module}.preprocess_input{added}"

    def preprocess(self, images: Any) -> Any:
        """Scale pixels, float32 in 0 to 255, RGB, as this network was trained with."""
        load_keras()
        module = importlib.import_module(f"keras.applications.{self.module}")
        return module.preprocess_input(images)

    def find_weights(self, weights: str) -> Path:
        """Return the weights file: the ImageNet weights', or the one that is named."""
        return find_weights(self.name, self.imagenet, weights)

    def digest(self, weights: Path) -> str:
        """Return the file's SHA-256."""
        return file_sha256(weights)

    def build(self) -> Any:
        """Return the Keras network without classifier, randomly initialised."""
        build: Callable[..., Any] = getattr(load_keras().applications, self.builder)
        network = build(include_top=False, weights=None, input_shape=(*self.input_size, 3))
        return _rescaled(network) if self.module in RESCALED else network

    def load(self, weights: Path) -> Any:
        """Return the Keras network with the weights of this file.

        Raises
        ------
        WeightsError
            If a layer is missing or has another shape, by name.
        """
        network = self.build()
        check_fit(network, weights, self.name)
        with readable_with_lock(weights) as path:
            network.load_weights(path)
        return network


def _generic(row: Row) -> Application:
    """Return the backbone of a row of ``keras.applications``."""
    return Application(
        name=row.builder.lower(),
        module=row.module,
        builder=row.builder,
        input_size=(row.side, row.side),
        layer=row.layer,
        dimension=row.dimension,
        parameters=row.parameters,
        activation_mb=row.activation_mb,
        multiply_adds=row.multiply_adds,
        imagenet=Pretrained(url=row.url, checksum=row.checksum, file=row.file),
    )


_GENERIC = {backbone.name: backbone for backbone in map(_generic, ROWS)}

BACKBONES = {
    "mobilenet": replace(
        _GENERIC["mobilenet"],
        stages=tuple(f"conv_pw_{number}_relu" for number in (5, 7, 9, 11, 13)),
        sizes=SIZES,
        imagenet=Pretrained(bundled=BUNDLED / "mobilenet_1_0_224_notop.weights.h5"),
    ),
    "vgg16": replace(
        _GENERIC["vgg16"],
        stages=("block3_pool", "block4_pool", "block5_conv3", "block5_pool"),
        sizes=SIZES,
    ),
}
BACKBONES |= {name: row for name, row in _GENERIC.items() if name not in BACKBONES}


def _rescaled(network: Any) -> Any:
    """Return a network with the division after its normalisation."""
    keras = load_keras()
    division = keras.layers.Rescaling([deviation**-0.5 for deviation in STANDARD_DEVIATIONS])

    def called(layer: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = layer(*args, **kwargs)
        return division(outputs) if isinstance(layer, keras.layers.Normalization) else outputs

    return keras.models.clone_model(network, call_function=called)


def find_backbone(
    name: str,
    weights: str = "imagenet",
    declared: Declared | None = None,
    side: int | None = None,
) -> Backbone:
    """Return the row of this name, or of this file.

    Parameters
    ----------
    name : str
        A row of the table, a network's file, or a spec's backbone.
    weights : str
        Where a spec's backbone was, if it came from a file.
    declared : Declared, optional
        How pixels are prepared for a network in a file.
    side : int, optional
        Of square images, in pixels; the network's own when None.

    Raises
    ------
    OptionError
        If there is none; the message lists the valid names. If it takes no images of this size.
    WeightsError
        If a file cannot be used.
    """
    if is_file(name):
        return find_file_network(name, weights, declared, side)
    if declared is not None:
        raise OptionError(
            f"{name} has its own preprocessing: --mean, --std, --scale, --channels, --crop, "
            "--interpolation and --golden are for a network in a file"
        )
    if name not in BACKBONES:
        raise unknown("backbone", name, [*BACKBONES, "FILE.onnx"])
    return BACKBONES[name] if side is None else BACKBONES[name].sized(side)


def backbone_of(spec: FeatureSpec, weights: Path | None = None) -> Backbone:
    """Return a spec's row, at the spec's input size; a network in a file is looked for there."""
    if is_file(spec.backbone):
        return file_network_of(spec, weights)
    return find_backbone(spec.backbone, side=spec.input_size[0])


def tappable_layers(network: Any) -> list[str]:
    """Return the names of the layers that can be tapped, from the input on.

    Layers that Keras numbers as it goes (``activation_17``) are left out: their
    names depend on what else was built before. Those of a network in a file stay.
    """
    return [
        layer.name
        for layer in network.layers
        if (network.name == IN_FILE or not re.fullmatch(_numbered(layer), layer.name))
        and not isinstance(layer.output, list)
    ]


def _numbered(layer: Any) -> str:
    return rf"{snake_case(type(layer).__name__)}(_\d+)?"


def describe_backbones() -> list[dict[str, Any]]:
    """Return a JSON object for each backbone; ``weights`` says where its ImageNet weights are."""
    return [
        {
            "name": row.name,
            "input_size": list(row.input_size),
            "sizes": list(row.sizes or row.input_size[:1]),
            "parameters": round(row.parameters * 1e6),
            "dimension": row.dimension,
            "layer": row.layer,
            "weights": row.imagenet.whereabouts(),
        }
        for row in BACKBONES.values()
    ]


def describe_layers(name: str) -> list[dict[str, Any]]:
    """Return name, kind and output shape of each layer that can be tapped; builds the network.

    Raises
    ------
    OptionError
        If there is no such backbone.
    """
    if is_file(name):
        return open_file(name).facts().layers
    network = find_backbone(name).build()
    return [
        {"name": layer, "kind": type(tapped).__name__, "shape": list(tapped.output.shape[1:])}
        for layer in tappable_layers(network)
        if (tapped := network.get_layer(layer))
    ]
