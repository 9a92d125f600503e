"""What is done to pixels before a network from a file sees them: declared, never guessed.

It comes from the network's own graph or metadata, from a JSON file beside it that Hugging Face or
timm writes, or from options. A reader a source, in :data:`BESIDE` and :func:`from_metadata`; each
returns the settings that its source has.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import OptionError, WeightsError, unknown
from ..decode.resize_rules import FILTERS, rule_name

NEEDED = ("mean", "std", "scale", "channels")
CHANNELS = ("rgb", "bgr")
METADATA = "headstart.preprocessing"  # key of an ONNX file's metadata; JSON of the settings

Settings = dict[str, Any]  # some of: side, mean, std, scale, channels, interpolation, crop, fills


@dataclass(frozen=True, slots=True)
class Declared:
    """What options say of a network in a file; None where they say nothing."""

    mean: str | None = None  # three numbers with commas between, or one for all channels
    std: str | None = None  # as mean: a pixel becomes (pixel · scale − mean) / std
    scale: str | None = None  # a number or a fraction, such as "1/255"
    channels: str | None = None  # "rgb" or "bgr"
    interpolation: str | None = None  # "bilinear", "bicubic", "lanczos", …
    crop: str | None = None  # the share of the shorter side that is seen, above 0, at most 1
    golden: tuple[str, str] | None = None  # an image file, and a .npy file of its features

    @classmethod
    def of(cls, preprocessing: str) -> Declared:
        """Return what a feature spec says of a network in a file."""
        made = json.loads(preprocessing)
        for key in ("mean", "std"):
            made[key] = ",".join(map(repr, made[key]))
        return cls(**made | {"scale": repr(made["scale"])})

    def settings(self) -> Settings:
        """Return what is declared, read.

        Raises
        ------
        OptionError
            If a value cannot be.
        """
        typed = {key: value for key, value in asdict(self).items() if value is not None}
        typed.pop("golden", None)
        return {key: _READ.get(key, str)(value) for key, value in typed.items()}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """A pixel of 0 to 255 becomes (pixel · scale − mean) / std.

    Parameters
    ----------
    mean, std : tuple of float
        Of each channel, in the network's own order.
    scale : float
        What pixels are multiplied by first.
    channels : str
        The network's order: ``"rgb"`` or ``"bgr"``.

    Examples
    --------
    >>> bound = Preprocessing((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 1 / 255, "rgb")
    >>> bound(np.full((1, 1, 1, 3), 255, np.float32)).tolist()
    [[[[1.0, 1.0, 1.0]]]]
    >>> Preprocessing.from_json(bound.to_json()) == bound
    True
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float
    channels: str

    def __call__(self, images: Any) -> Any:
        """Scale images (n, height, width, 3), float32 RGB: an array or a Keras tensor."""
        if self.channels == "bgr":
            images = images[..., ::-1]
        if self.raw:
            return images
        mean, std = (np.asarray(values, np.float32) for values in (self.mean, self.std))
        return (images * np.float32(self.scale) - mean) / std

    @property
    def raw(self) -> bool:
        """Whether pixels stay what they are, but for the order of channels."""
        return self.scale == 1 and not any(self.mean) and set(self.std) == {1.0}

    def to_json(self) -> str:
        """Return it as the feature spec has it."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Preprocessing:
        """Read what :meth:`to_json` wrote."""
        return cls.of(json.loads(text))

    @classmethod
    def of(cls, settings: Settings) -> Preprocessing:
        """Return what complete settings say."""
        mean, std = tuple(settings["mean"]), tuple(settings["std"])
        return cls(mean, std, settings["scale"], settings["channels"])


RAW: Settings = {"mean": [0.0] * 3, "std": [1.0] * 3, "scale": 1.0, "channels": "rgb"}


def bound(settings: Settings, file: Path) -> Preprocessing:
    """Return the preprocessing that settings amount to.

    Raises
    ------
    WeightsError
        If one is missing; the message says which, and where they may stand.
    """
    missing = [name for name in NEEDED if name not in settings]
    if missing:
        raise WeightsError(
            f"how to prepare pixels for {file} is not known: "
            f"{', '.join(f'--{name}' for name in missing)} missing; give them as options (they are "
            "kept), in a preprocessor_config.json or timm config.json beside the file, or in its "
            "metadata"
        )
    return Preprocessing.of(settings)


def resize_rule(settings: Settings) -> str:
    """Return the name of the resize rule that settings amount to."""
    fills = settings.get("fills", "shorter")
    return rule_name(fills, settings.get("crop", 1.0), settings.get("interpolation", "bilinear"))


def beside(file: Path) -> Settings:
    """Return what a JSON file beside a network says; nothing where there is none.

    Raises
    ------
    WeightsError
        If it is damaged.
    """
    for name, read in BESIDE.items():
        path = file.parent / name
        if path.is_file():
            try:
                settings = read(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
                raise WeightsError(
                    f"{path} does not say how to prepare pixels ({error}): mend it, or move it away "
                    "and give --mean, --std, --scale and --channels"
                ) from error
            if settings:
                return settings
    return {}


def from_metadata(metadata: Mapping[str, str]) -> Settings:
    """Return what an ONNX file's metadata say: ours, else ONNX's own keys of image networks."""
    if METADATA in metadata:
        settings = json.loads(metadata[METADATA])
        for key in ("mean", "std"):
            settings[key] = _three(settings[key])
        return dict(settings)
    ranges: dict[str, Settings] = {
        "NominalRange_0_255": RAW,
        "Normalized_0_1": RAW | {"scale": 1 / 255},
        "Normalized_1_1": RAW | {"scale": 1 / 127.5, "mean": [1.0] * 3},
    }
    pixels = metadata.get("Image.NominalPixelRange")
    order = metadata.get("Image.BitmapPixelFormat", "").lower()[:3]
    return ranges[pixels] | {"channels": order} if pixels in ranges and order in CHANNELS else {}


def _hugging_face(config: dict[str, Any]) -> Settings:
    """Read an image processor's ``preprocessor_config.json``."""
    size, crop = config.get("size"), config.get("crop_size")
    settings: Settings = {
        "scale": config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1.0,
        "channels": "bgr" if config.get("do_flip_channel_order") else "rgb",
        "mean": [0.0] * 3,
        "std": [1.0] * 3,
    }
    if config.get("do_normalize", True):
        settings |= {"mean": _three(config["image_mean"]), "std": _three(config["image_std"])}
    if "resample" in config:
        settings["interpolation"] = {value: name for name, value in FILTERS.items()}[
            config["resample"]
        ]
    shortest = size.get("shortest_edge") if isinstance(size, dict) else None
    if config.get("do_center_crop") and crop is not None:
        settings["side"] = _square(crop)
        if config.get("do_resize", True):
            settings["crop"] = settings["side"] / (shortest or _square(size))
    elif shortest is not None:  # ConvNeXT: small images are cut, large ones squashed
        share = config.get("crop_pct", 1.0) if shortest < 384 else 1.0
        settings |= {"side": shortest, "crop": share}
    elif size is not None:
        settings |= {"side": _square(size), "fills": "each"}
    return settings


def _timm(config: dict[str, Any]) -> Settings:
    """Read timm's ``config.json``; nothing in one of another library."""
    config = {**config, **config.get("pretrained_cfg", {})}
    if "mean" not in config:
        return {}
    modes = {"center": "shorter", "squash": "each", "border": "longer"}
    side = _square(dict(zip(("height", "width"), config["input_size"][1:], strict=True)))
    return {
        "mean": _three(config["mean"]),
        "std": _three(config["std"]),
        "scale": 1 / 255,
        "channels": "rgb",
        "side": side,
        "crop": float(config.get("crop_pct") or 0.875),  # timm's own default
        "interpolation": config.get("interpolation", "bilinear"),
        "fills": modes[config.get("crop_mode") or "center"],
    }


# A file beside the network to what reads it; the first that says something counts.
BESIDE: dict[str, Callable[[dict[str, Any]], Settings]] = {
    "preprocessor_config.json": _hugging_face,
    "config.json": _timm,
}


def _square(size: Any) -> int:
    if isinstance(size, dict):
        if size["height"] != size["width"]:
            raise ValueError(f"{size['height']} x {size['width']} pixels: expected a square")
        return int(size["height"])
    return int(size)


def _three(values: Any) -> list[float]:
    numbers = [float(value) for value in values]
    if len(numbers) not in (1, 3):
        raise ValueError(f"{len(numbers)} numbers: expected one for each of 3 channels")
    return numbers * (3 // len(numbers))


def _numbers(text: str) -> list[float]:
    try:
        return _three(map(_number, text.split(",")))
    except ValueError as error:
        raise OptionError(
            f"{text!r}: expected three numbers with commas between: {error}"
        ) from error


def _number(text: str) -> float:
    above, _, below = text.partition("/")
    try:
        return float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError) as error:
        raise OptionError(f"{text!r}: expected a number or a fraction, such as 1/255") from error


def _share(text: str) -> float:
    share = _number(text)
    if not 0 < share <= 1:
        raise OptionError(f"--crop {text}: expected a share above 0, at most 1")
    return share


def _choice(what: str, valid: list[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in valid:
            raise unknown(what, text, valid)
        return text

    return read


_READ: dict[str, Callable[[str], Any]] = {
    "mean": _numbers,
    "std": _numbers,
    "scale": _number,
    "crop": _share,
    "channels": _choice("order of channels", list(CHANNELS)),
    "interpolation": _choice("interpolation", list(FILTERS)),
}
