"""What every engine is: a batch of pixels in, features out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...cache.spec import FeatureSpec
from ...errors import OptionError, unknown

# Of a layer's output, by its dimensions (the batch among them): maps, tokens, vectors.
POOLINGS = {
    "avg": (4, 2),
    "max": (4, 2),
    "avg+max": (4, 2),
    "cls": (3,),
    "mean": (3,),
    "flatten": (4, 3, 2),
    "none": (4, 3, 2),
}


def check_pooling(pooling: str, shape: Sequence[int | None]) -> None:
    """Refuse a pooling that a layer's output does not go with.

    Raises
    ------
    OptionError
        If it is unknown, or for outputs of other dimensions.
    """
    if pooling not in POOLINGS:
        raise unknown("pooling", pooling, list(POOLINGS))
    if len(shape) not in POOLINGS[pooling]:
        fitting = [name for name, ranks in POOLINGS.items() if len(shape) in ranks]
        raise OptionError(
            f"--pooling {pooling} does not go with a layer that gives "
            f"{' x '.join(str(side or '?') for side in shape[1:])}: take {' or '.join(fitting)}"
        )


Images = NDArray[np.uint8]  # (n, height, width, 3)


Features = NDArray[np.float32]  # (n, d)


class Engine(Protocol):
    """What runs the frozen backbone. Any number of threads may call it at once.

    Attributes
    ----------
    name : str
        A row of :data:`headstart.extract.engine.open_engine.MAKERS`.
    device : str
        ``"cpu"`` or ``"gpu"``.
    widths : tuple of int
        Columns of each layer within one view, in the spec's order.
    notes : list of str
        What is worth telling about how it was made.
    """

    name: str
    device: str
    widths: tuple[int, ...]
    notes: list[str]

    def __call__(self, images: Images) -> Features:
        """Map images (n, height, width, 3), uint8 RGB, to features (n, d), float32."""
        ...


class PixelEngine:
    """The layer below all layers: the pixels themselves, no network."""

    name = "decoder"
    device = "cpu"

    def __init__(self, spec: FeatureSpec) -> None:
        height, width = spec.input_size
        self.widths: tuple[int, ...] = (height * width * 3,)
        self.notes: list[str] = []

    def __call__(self, images: Images) -> Features:
        """Flatten images (n, height, width, 3) to (n, d), float32, 0 to 255."""
        return images.reshape(len(images), -1).astype(np.float32)
