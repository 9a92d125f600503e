"""Pretrained weights: where they are, and whether they fit."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from ..errors import WeightsError


@dataclass(frozen=True, slots=True)
class Pretrained:
    """Where a backbone's ImageNet weights come from.

    Parameters
    ----------
    bundled : Path or None
        A file inside the package.
    url : str or None
        Keras' download.
    md5 : str or None
        Keras' own checksum of that download.
    """

    bundled: Path | None = None
    url: str | None = None
    md5: str | None = None

    def local(self) -> Path:
        """Return where the file lies, or would lie once downloaded."""
        if self.bundled is not None:
            return self.bundled
        return keras_models_folder() / str(self.url).rsplit("/", 1)[-1]


def keras_models_folder() -> Path:
    """Return the folder where Keras keeps downloaded weights."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "models"


def find_weights(backbone: str, imagenet: Pretrained, weights: str = "imagenet") -> Path:
    """Return the weights file, downloading it when it must be.

    Parameters
    ----------
    backbone : str
        The backbone's name, for messages.
    imagenet : Pretrained
        Where its ImageNet weights come from.
    weights : str
        ``"imagenet"`` or the path of an HDF5 weights file.

    Raises
    ------
    WeightsError
        If there is no such file, or it can neither be found nor downloaded.
    """
    if weights != "imagenet":
        path = Path(weights)
        if not path.is_file():
            raise WeightsError(
                f"no weights file {path}; give an existing one with --weights FILE, or 'imagenet'"
            )
        return path
    path = imagenet.local()
    if path.is_file():
        return path
    return _download(backbone, imagenet, path)


def _download(backbone: str, imagenet: Pretrained, path: Path) -> Path:
    from .tensorflow import load_keras

    try:
        with contextlib.redirect_stdout(sys.stderr):  # standard output is for results
            fetched = load_keras().utils.get_file(
                path.name,
                imagenet.url,
                cache_dir=path.parent.parent,
                cache_subdir=path.parent.name,
                file_hash=imagenet.md5,
            )
    except Exception as error:  # Keras raises bare exceptions for every network failure
        path.unlink(missing_ok=True)
        raise WeightsError(
            f"cannot download the ImageNet weights of {backbone} "
            f"({str(error).splitlines()[0]}): fetch {imagenet.url} elsewhere and put it at "
            f"{path}, or name a file with --weights FILE"
        ) from error
    return Path(fetched)


def file_sha256(path: Path) -> str:
    """Return a file's SHA-256, 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


Shapes = dict[str, list[tuple[int, ...]]]  # layer to the shapes of its arrays


def check_fit(network: Any, weights: Path, backbone: str) -> None:
    """Check a weights file against a network before anything is loaded.

    A load that fails half-way leaves a network of mixed weights; so both
    layouts that Keras writes are compared by name and shape first.

    Raises
    ------
    WeightsError
        If the file is no weights file, or names the first layer that differs.
    """
    try:
        with h5py.File(weights, "r", locking=False) as file:
            legacy = "layer_names" in file.attrs
            found = _legacy_shapes(file) if legacy else _shapes(file)
    except (OSError, KeyError, RuntimeError) as error:
        raise WeightsError(
            f"{weights} is not a Keras weights file in HDF5 ({error}); "
            f"expected the weights of {backbone} without its classifier"
        ) from error
    expected = {
        layer.name: [tuple(w.shape) for w in layer.weights]
        for layer in network.layers
        if layer.weights
    }
    if not legacy:  # back from Keras' counted names to the layers' own
        names = {key: name for name, key in _keys(network)}
        found = {names.get(key, key): shapes for key, shapes in found.items()}
    for name in [*expected, *found.keys() - expected.keys()]:
        want, got = expected.get(name, []), found.get(name, [])
        if want != got:
            raise WeightsError(
                f"weights {weights} do not fit {backbone}: layer {name!r} expects "
                f"{_text(want)}, the file has {_text(got)}"
            )


def _text(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(str(shape) for shape in shapes) or "nothing"


def _legacy_shapes(file: Any) -> Shapes:
    """Keras 2's layout: arrays by layer."""
    shapes = {}
    for name in (_str(n) for n in file.attrs["layer_names"]):
        group = file[name]
        shapes[name] = [tuple(group[_str(w)].shape) for w in group.attrs["weight_names"]]
    return {name: arrays for name, arrays in shapes.items() if arrays}


def _shapes(file: Any) -> Shapes:
    """Keras 3's layout: arrays by the class of the layer, counted."""
    shapes = {
        key: [tuple(group["vars"][i].shape) for i in sorted(group["vars"], key=int)]
        for key, group in file["layers"].items()
    }
    return {key: arrays for key, arrays in shapes.items() if arrays}


def _keys(network: Any) -> list[tuple[str, str]]:
    """Name each layer as Keras 3 does inside a weights file: conv2d, conv2d_1, and so on."""
    seen: dict[str, int] = {}
    keys = []
    for layer in network.layers:
        kind = _snake_case(type(layer).__name__)
        count = seen.get(kind, 0)
        seen[kind] = count + 1
        keys.append((layer.name, f"{kind}_{count}" if count else kind))
    return keys


def _snake_case(name: str) -> str:
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _str(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
