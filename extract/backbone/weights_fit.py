"""Whether a weights file fits a network, in either layout that Keras writes."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import h5py

from ...errors import WeightsError

Shapes = list[tuple[int, ...]]  # of a layer's arrays


def check_fit(network: Any, weights: Path, backbone: str) -> None:
    """Check a weights file against a network before anything is loaded.

    A load that fails half-way leaves a network of mixed weights; so both
    layouts that Keras writes are compared by shape first.

    Raises
    ------
    WeightsError
        If the file is no weights file, or names the first layer that differs.
    """
    try:
        with h5py.File(weights, "r", locking=False) as file:
            legacy = "layer_names" in file.attrs
            pairs = (_pair_legacy if legacy else _pair)(network, file)
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise WeightsError(
            f"{weights} is not a Keras weights file in HDF5 ({error}); "
            f"expected the weights of {backbone} without its classifier"
        ) from error
    for name, want, got in pairs:
        if want != got:
            raise WeightsError(
                f"weights {weights} do not fit {backbone}: layer {name!r} expects "
                f"{_text(want)}, the file has {_text(got)}"
            )


@contextlib.contextmanager
def readable_with_lock(weights: Path) -> Iterator[Path]:
    """Give a path to a weights file that can be locked: Keras locks what it reads.

    A disk that knows no locks, as network disks may, is no reason not to read from it: the
    file is copied to a temporary one, for as long as the block runs.
    """
    try:
        h5py.File(weights, "r").close()
    except OSError:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(shutil.copy(weights, folder))
    else:
        yield weights


def _pair_legacy(network: Any, file: Any) -> list[tuple[str, Shapes, Shapes]]:
    """(layer, wanted, held) in Keras 2's layout, whose layers Keras matches by their order."""
    wanted = [(layer.name, _wanted(layer)) for layer in network.layers if layer.weights]
    held = []
    for name in (_str(n) for n in file.attrs["layer_names"]):
        shapes = [tuple(file[name][_str(w)].shape) for w in file[name].attrs["weight_names"]]
        if shapes:
            held.append((name, shapes))
    return [
        ((want or got)[0], want[1] if want else [], got[1] if got else [])
        for want, got in zip_longest(wanted, held)
    ]


def _pair(network: Any, file: Any) -> list[tuple[str, Shapes, Shapes]]:
    """(layer, wanted, held) in Keras 3's layout: a group a layer, named by counting its class."""
    held = {key: _held(group) for key, group in file["layers"].items()}
    pairs = []
    counts: Counter[str] = Counter()
    for layer in network.layers:
        kind = snake_case(type(layer).__name__)
        key = f"{kind}_{counts[kind]}" if counts[kind] else kind
        counts[kind] += 1
        wanted, got = _wanted(layer), held.pop(key, [])
        if hasattr(layer, "layers"):  # a network within: the file groups its arrays otherwise
            wanted, got = sorted(wanted), sorted(got)
        pairs.append((layer.name, wanted, got))
    return pairs + [(key, [], shapes) for key, shapes in held.items()]


def _held(group: Any) -> Shapes:
    shapes = [tuple(group["vars"][i].shape) for i in sorted(group.get("vars", ()), key=int)]
    for key, within in group.items():
        if key != "vars":
            shapes += _held(within)
    return shapes


def _wanted(layer: Any) -> Shapes:
    return [tuple(weight.shape) for weight in layer.weights]


def _text(shapes: Shapes) -> str:
    return ", ".join(str(shape) for shape in shapes) or "nothing"


def snake_case(name: str) -> str:
    """Return a class's name as Keras spells it in layers' names and weights files.

    Examples
    --------
    >>> snake_case("DepthwiseConv2D")
    'depthwise_conv2d'
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _str(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
