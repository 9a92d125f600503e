"""A golden feature: what a network from a file must make of one image, checked at each start.

Wrong preprocessing gives features all the same, only worse ones. Where the network's maker says
what comes out for one image, this tells.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...cache.spec import FeatureSpec
from ...errors import EngineError, OptionError
from ..backbone.facts import keep_record, read_record
from ..decode.decode import decode_views
from .agreement import relative_error
from .engine import Engine

# Another decoder or resizer rounds otherwise; another mean or order of channels is far beyond.
TOLERANCE = 0.01


def keep_golden(spec: FeatureSpec, image: str, features: str) -> None:
    """Keep what a network must make of an image with the network's hash.

    Parameters
    ----------
    spec : FeatureSpec
        The layers and the pooling that the features are of.
    image : str
        An image file.
    features : str
        A ``.npy`` file with as many numbers as the features have.

    Raises
    ------
    OptionError
        If either cannot be read.
    """
    try:
        data = Path(image).read_bytes()
        values = np.load(features, allow_pickle=False).astype(np.float32).ravel()
    except (OSError, ValueError, TypeError) as error:
        raise OptionError(f"--golden {image} {features}: {error}") from error
    golden = {
        "name": Path(image).name,
        "image": base64.b64encode(data).decode("ascii"),
        "features": values.tolist(),
        "layers": spec.layers,
        "pooling": spec.pooling,
    }
    keep_record(spec.weights_sha256, read_record(spec.weights_sha256) | {"golden": golden})


def check_golden(spec: FeatureSpec, make: Callable[[FeatureSpec], Engine]) -> None:
    """Compare what a network makes of the golden image with what was declared, if it was.

    Parameters
    ----------
    spec : FeatureSpec
        Of a network in a file.
    make : callable
        Makes the engine of the golden features' own layers, in float32.

    Raises
    ------
    EngineError
        If they are further apart than 1 % of their length.
    """
    golden = read_record(spec.weights_sha256).get("golden")
    if golden is None:
        return
    layers, pooling = tuple(golden["layers"]), golden["pooling"]
    own = replace(spec, layers=layers, pooling=pooling, precision="float32")
    data = base64.b64decode(golden["image"])
    digest = hashlib.sha256(data).digest()
    pixels = decode_views(data, own.input_size, own.resize, ("original",), digest)
    error = relative_error(make(own)(pixels), np.asarray([golden["features"]], np.float32))
    if not error <= TOLERANCE:
        raise EngineError(
            f"{spec.backbone} makes other features of {golden['name']} than were declared golden: "
            f"relative error {error:.2g}, {TOLERANCE:g} is allowed; is --mean, --std, --scale, "
            "--channels, --interpolation or --crop another? --golden declares new ones"
        )
