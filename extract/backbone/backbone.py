"""What every backbone is, wherever its network comes from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from ...errors import OptionError

IN_FILE = "network_in_file"  # what Keras calls a network that came from one: its names are its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone(ABC):
    """A network bound to its preprocessing, and what is known of it before it is loaded.

    Parameters
    ----------
    name : str
        What the feature spec calls it.
    input_size : tuple of int
        Height and width, in pixels.
    layer : str
        Where features are tapped unless told otherwise: the last layer.
    dimension : int
        Channels of that layer.
    parameters : float
        Millions of weights, the classifier left out.
    activation_mb : int
        Megabytes that the two largest neighbouring activations of one image take.
    multiply_adds : float
        Billions an image, in convolutions and dense layers: what it costs to run.
    stages : tuple of str
        Layers that ``--layer auto`` chooses among, the deepest last.
    sizes : tuple of int
        Sides in pixels that ``--input-size`` takes; the network's own alone when empty.
    """

    name: str
    input_size: tuple[int, int]
    layer: str
    dimension: int
    parameters: float
    activation_mb: int
    multiply_adds: float
    stages: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()

    @property
    def graph(self) -> str:
        """``"keras"``, or ``"onnx"``, which nothing can train."""
        return "keras"

    def sized(self, side: int) -> Self:
        """Return the same network for square images of another size.

        Raises
        ------
        OptionError
            If it does not take them.
        """
        if side == self.input_size[0]:
            return self
        if not self.takes(side):
            sizes = ", ".join(map(str, self.sizes or self.input_size[:1]))
            raise OptionError(f"--input-size {side}: {self.name} takes {sizes}")
        share = (side / self.input_size[0]) ** 2
        return replace(
            self,
            input_size=(side, side),
            activation_mb=max(1, round(share * self.activation_mb)),
            multiply_adds=share * self.multiply_adds,
        )

    @property
    def reference(self) -> str:
        """What ``--backbone`` takes for it."""
        return self.name

    def takes(self, side: int) -> bool:
        """Tell whether square images of another size than its own can go in."""
        return side in self.sizes

    def resize_rule(self, wanted: str) -> str:
        """Return the resize rule that its features are made by."""
        return wanted

    @property
    @abstractmethod
    def preprocessing(self) -> str:
        """What scales pixels for this network, as the feature spec has it."""

    @abstractmethod
    def preprocess(self, images: Any) -> Any:
        """Scale pixels, float32 in 0 to 255, RGB, as this network was trained with."""

    @abstractmethod
    def find_weights(self, weights: str) -> Path:
        """Return the file that :meth:`load` reads, downloading it when it must be.

        Raises
        ------
        WeightsError
            If it can neither be found nor downloaded.
        """

    @abstractmethod
    def digest(self, weights: Path) -> str:
        """Return the SHA-256 of what :meth:`load` reads, 64 hexadecimal digits."""

    @abstractmethod
    def build(self) -> Any:
        """Return the Keras network without classifier, randomly initialised."""

    @abstractmethod
    def load(self, weights: Path) -> Any:
        """Return the Keras network with the weights of this file.

        Raises
        ------
        WeightsError
            If the file does not hold them.
        """
