"""KerasHub's presets as backbones: their image converter is their preprocessing.

A preset is a folder, KerasHub's own download or one that it saved; its files together are its hash.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import OptionError
from .facts import Facts
from .keras_file import check_classes, describe, flattened, reading
from .preprocessing import Settings
from .weights import file_sha256

PREFIX = "kerashub:"
CONFIG, CONVERTER, WEIGHTS = "config.json", "image_converter.json", "model.weights.h5"
MODULES = ("keras", "keras_hub")


def find(reference: str) -> Path:
    """Return the folder of a preset: a path, or a name that KerasHub downloads.

    Raises
    ------
    OptionError
        If KerasHub is not installed.
    WeightsError
        If there is no such preset, or it cannot be downloaded.
    """
    preset = reference.removeprefix(PREFIX)
    if (Path(preset) / CONFIG).is_file():
        return Path(preset)
    _load_hub()
    from keras_hub.src.utils.preset_utils import get_file

    def download() -> Path:
        files = [get_file(preset, name) for name in (CONFIG, CONVERTER, WEIGHTS)]
        return Path(files[0]).parent

    folder: Path = reading(reference, download)
    return folder


def digest(folder: Path) -> str:
    """Return the SHA-256 of a preset's files, their names among them."""
    files = [folder / CONFIG, folder / CONVERTER, *sorted(folder.glob("model.weights*"))]
    sums = [f"{file.name} {file_sha256(file)}\n" for file in files if file.is_file()]
    return hashlib.sha256("".join(sums).encode()).hexdigest()


def build(folder: Path, side: int | None) -> Any:
    """Return the network of a preset, randomly initialised."""
    return _network(folder, side, weights=False)


def load(folder: Path, side: int | None) -> Any:
    """Return the network of a preset with its weights."""
    return _network(folder, side, weights=True)


def read_facts(folder: Path, side: int | None) -> Facts:
    """Return what can be told of the network of a preset."""
    return replace(describe(build(folder, side)), settings=_settings(folder))


def _network(folder: Path, side: int | None, *, weights: bool) -> Any:
    hub = _load_hub()

    def read() -> Any:
        check_classes(json.loads((folder / CONFIG).read_text(encoding="utf-8")), MODULES)
        network = hub.models.Backbone.from_preset(str(folder), load_weights=weights)
        images = getattr(network, "vision_encoder", network)  # of CLIP and SigLIP: half of it
        return flattened(images, side)

    return reading(f"{PREFIX}{folder}", read)


def _settings(folder: Path) -> Settings:
    """Return what a preset's image converter does to pixels."""
    path = folder / CONVERTER
    if not path.is_file():
        return {}
    config = json.loads(path.read_text(encoding="utf-8"))["config"]
    scale, offset = (_three(config.get(key), value) for key, value in (("scale", 1), ("offset", 0)))
    fills = {
        (True, False): "shorter",
        (False, True): "longer",
        (False, False): "each",
    }
    kept = (bool(config.get("crop_to_aspect_ratio", True)), bool(config.get("pad_to_aspect_ratio")))
    settings: Settings = {
        # Its pixel · scale + offset, as (pixel − mean) / std.
        "mean": [-shift / factor for shift, factor in zip(offset, scale, strict=True)],
        "std": [1 / factor for factor in scale],
        "scale": 1.0,
        "channels": "rgb",
        "interpolation": config.get("interpolation", "bilinear").rstrip("35"),
        "fills": fills[kept],
    }
    if config.get("image_size"):
        settings["side"] = int(config["image_size"][0])
    return settings


def _three(value: Any, default: float) -> list[float]:
    values = value if isinstance(value, list) else [default if value is None else value]
    return [float(number) for number in values] * (3 // len(values))


def _load_hub() -> Any:
    from .loading import load_keras

    load_keras()
    try:
        import keras_hub
    except ImportError as error:
        raise OptionError(
            f"--backbone {PREFIX}… needs KerasHub: pip install 'headstart[kerashub]'"
        ) from error
    return keras_hub
