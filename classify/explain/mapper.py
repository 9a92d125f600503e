"""The last convolutional maps of an image's views, as the head's features come from them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...errors import OptionError
from ...extract.decode.views import Pixels
from ...extract.engine.network import build_mapper, traced
from ...extract.source import FeatureSource
from ..saved.head_model import Model
from ..saved.network_model import TunedModel
from .layers import Floats

Mapper = Callable[[Pixels], list[list[Floats]]]


def open_mapper(model: Model | TunedModel, source: FeatureSource) -> Mapper:
    """Return the function from views (v, height, width, 3) to maps.

    For each view it gives one map (height, width, channels), float32, a tapped layer. The
    backbone runs in TensorFlow; what lies below the freeze boundary of a fine-tuned network
    runs on the engine that training extracted with.

    Parameters
    ----------
    model : Model or TunedModel
        The classifier.
    source : FeatureSource
        From :func:`headstart.classify.predict.predict.source_of`.
    """
    if isinstance(model, TunedModel) and model.upper.mapper is not None:
        upper, engine = model.upper.mapper, source.engine()
        return lambda pixels: _by_view(upper(engine(pixels), training=False))
    spec = model.features if isinstance(model, TunedModel) else model.spec
    run = traced(build_mapper(spec, source.weights), spec)
    return lambda pixels: _by_view(run(pixels))


def _by_view(layers: object) -> list[list[Floats]]:
    maps = [
        np.asarray(one, dtype=np.float32)
        for one in (layers if isinstance(layers, list) else [layers])
    ]
    if any(one.ndim != 4 for one in maps):
        raise OptionError(
            "the head's features are no maps: a layer gives the shapes "
            f"{', '.join(str(one.shape[1:]) for one in maps)}; take --method occlusion"
        )
    return [[one[view] for one in maps] for view in range(len(maps[0]))]
