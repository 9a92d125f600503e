"""What is asked for: a recipe says what to compute, an execution how hard to work and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cache import FeatureSpec, cache_folder, place_of
from ..errors import OptionError, unknown
from .backbone.network_file import is_file
from .backbone.preprocessing import Declared
from .decode.bit_depth import FULL
from .decode.decode import MAX_PIXELS
from .decode.resize_rules import find_rule
from .engine.engine import POOLINGS

STORAGES = ("float32", "float16")
BACKENDS = ("local", "dask", "ray")


@dataclass(frozen=True)
class Recipe:
    """What to compute: everything here decides a feature's value.

    Parameters
    ----------
    backbone : str
        Name in the table of backbones, or a network's file.
    weights : str
        ``"imagenet"`` or a weights file; of a saved classifier in 8 bits, its network.
    layers : tuple of str
        Layers to tap; the backbone's last when empty, its stages when ``("auto",)``.
    pooling : str
        ``"avg"``, ``"max"``, ``"avg+max"``, ``"flatten"`` or ``"none"``.
    resize : str
        ``"crop"``, ``"squash"`` or ``"pad"``. Cross-validated on training photographs,
        cropping beat squashing by 0.5 points on flowers and tied on monkeys.
    input_size : int, optional
        Side in pixels that images are brought to; the backbone's own when None.
    views : str
        Names with commas between, see :mod:`headstart.extract.decode.views`.
    precision : str
        ``"float32"``; ``"int8"``, a network that is quantised once; ``"bfloat16"`` on processors
        that multiply it, ``"float16"`` on GPUs.
    storage : str
        ``"float32"``, or ``"float16"`` for half the disk and a relative error of 5e-4.
    bit_depth : int, optional
        Bits that hold the values of images of 16 bits a channel, 8 to 16; found when None.
    declared : Declared, optional
        How pixels are prepared for a network in a file, see
        :mod:`headstart.extract.backbone.preprocessing`.

    Raises
    ------
    OptionError
        If pooling, resize rule or storage are unknown, or the bits are out of range.
    """

    backbone: str = "mobilenet"
    weights: str = "imagenet"
    layers: tuple[str, ...] = ()
    pooling: str = "avg"
    resize: str = "crop"
    input_size: int | None = None
    views: str = "original"
    precision: str = "float32"
    storage: str = "float32"
    bit_depth: int | None = None
    declared: Declared | None = None

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise unknown("pooling", self.pooling, list(POOLINGS))
        find_rule(self.resize)
        if self.storage not in STORAGES:
            raise unknown("storage", self.storage, list(STORAGES))
        if self.bit_depth is not None and not 8 <= self.bit_depth <= FULL:
            raise OptionError(f"--bit-depth must be 8 to 16, not {self.bit_depth}")

    @property
    def named_weights(self) -> str:
        """What a saved model remembers: ``"imagenet"``, or where the file was."""
        file = self.weights
        if file == "imagenet" and is_file(self.backbone):
            file = self.backbone
        before, colon, place = file.rpartition(":")  # of "kerashub:PRESET"
        if file == "imagenet" or (colon and not Path(place).exists()):
            return file
        return f"{before}{colon}{Path(place).absolute()}"

    @classmethod
    def of(cls, spec: FeatureSpec, weights: str = "imagenet") -> Recipe:
        """Return what a spec was computed by: the way back, with the weights at hand."""
        return cls(
            backbone=spec.backbone,
            weights=weights,
            layers=spec.layers,
            pooling=spec.pooling,
            resize=spec.resize,
            input_size=spec.input_size[0],
            views=",".join(spec.views),
            precision=spec.precision,
            storage=spec.storage,
            bit_depth=spec.bit_depth,
            declared=Declared.of(spec.preprocessing) if is_file(spec.backbone) else None,
        )


@dataclass(frozen=True)
class Execution:
    """How to run and where to keep what comes of it: nothing here alters a feature.

    Parameters
    ----------
    cache : Path, optional
        The cache's root; the user's cache folder when None.
    engine : str
        ``"auto"``, ``"tensorflow"``, ``"onnxruntime"`` or ``"openvino"``.
    batch_size : int, optional
        Images a call of the engine; chosen from engine and memory when None.
    workers : int, optional
        Threads that read, decode and call the engine; chosen from cores and memory when None.
    max_pixels : int
        Larger images fail.
    backend : str
        Who fills the cache: ``"local"``, this process; ``"dask"`` or ``"ray"``, worker processes.
    address : str, optional
        A running cluster's scheduler; one is started on this machine when None.
    shard_size : int, optional
        Images a task of a cluster; see :func:`headstart.extract.cluster.tasks.shard_size`.

    Raises
    ------
    OptionError
        If the backend is unknown, or numbers or the address cannot be.
    """

    cache: Path | None = None
    engine: str = "auto"
    batch_size: int | None = None
    workers: int | None = None
    max_pixels: int = MAX_PIXELS
    backend: str = "local"
    address: str | None = None
    shard_size: int | None = None

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise unknown("backend", self.backend, list(BACKENDS))
        if self.address is not None and self.backend == "local":
            raise OptionError("--address is a cluster's: add --backend dask or --backend ray")
        if any(number is not None and number < 1 for number in (self.batch_size, self.workers)):
            raise OptionError("--batch-size and --workers must be at least 1")

    def __getstate__(self) -> dict[str, Any]:
        """Let a cache behind a URL travel by that: each machine has a mirror of its own."""
        return {**self.__dict__, "cache": self.cache and place_of(self.cache)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        cache = state["cache"]
        self.__dict__.update(state, cache=None if cache is None else cache_folder(cache))
