"""Pretrained weights: where they are, and whether they fit."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import urllib.error
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import h5py
import psutil

from ...errors import WeightsError, first_line
from ...progress import note

ATTEMPTS = 3
TIMEOUT_SECONDS = 60.0  # without a byte
BLOCK_BYTES = 1 << 20
_NETWORK = (urllib.error.URLError, ConnectionError, TimeoutError)
_ALGORITHM = {32: "md5", 64: "sha256"}  # by the length of Keras' checksum


@dataclass(frozen=True, slots=True)
class Pretrained:
    """Where a backbone's ImageNet weights come from.

    Parameters
    ----------
    bundled : Path or None
        A file inside the package.
    url : str or None
        Keras' download.
    checksum : str or None
        Keras' own of that download: MD5 or SHA-256, by its length.
    file : str or None
        Keras' name for the downloaded file.
    """

    bundled: Path | None = None
    url: str | None = None
    checksum: str | None = None
    file: str | None = None

    def local(self) -> Path:
        """Return where the file lies, or would lie once downloaded."""
        if self.bundled is not None:
            return self.bundled
        return keras_models_folder() / str(self.file)

    def whereabouts(self) -> str:
        """Say where the weights are: ``bundled``, ``downloaded`` or ``to download``."""
        if self.bundled is not None:
            return "bundled"
        return "downloaded" if self.local().is_file() else "to download"


def keras_models_folder() -> Path:
    """Return the folder where Keras keeps downloaded weights."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "models"


def find_weights(
    backbone: str,
    imagenet: Pretrained,
    weights: str = "imagenet",
) -> Path:
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
    if imagenet.bundled is None and not _is_whole(path, imagenet.checksum):
        note(f"downloading the ImageNet weights of {backbone} from {imagenet.url}")
        _download(backbone, imagenet, path)
    return path


def _is_whole(path: Path, checksum: str | None) -> bool:
    """Tell whether a download is there, all of it: another program may have been killed at it."""
    if not path.is_file():
        return False
    return checksum is None or _hash(path, checksum) == checksum


def _hash(path: Path, checksum: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, _ALGORITHM[len(checksum)]).hexdigest()


def _download(backbone: str, imagenet: Pretrained, path: Path) -> None:
    """Download under a temporary name, check, rename; what is broken is fetched again."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    reason = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(path)
        for _ in range(ATTEMPTS):
            reason = _fetch(imagenet, temporary)
            if not reason:
                os.replace(temporary, path)
                return
    except OSError as error:  # of the disk: another attempt would not help
        reason = f"{error.strerror}: {error.filename}"
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    raise WeightsError(
        f"cannot download the ImageNet weights of {backbone} "
        f"({reason}): fetch {imagenet.url} elsewhere and put it at "
        f"{path}, or name a file with --weights FILE"
    )


def _remove_stale(path: Path) -> None:
    """Remove what killed downloads of this file left."""
    for part in path.parent.glob(f".{path.name}.*.part"):
        pid = part.name.split(".")[-2]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            part.unlink(missing_ok=True)


def _fetch(imagenet: Pretrained, temporary: Path) -> str:
    """Fetch into a file; return what is wrong with it, or nothing."""
    import http.client
    import urllib.request

    url = str(imagenet.url)
    with open(temporary, "wb") as file:
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - from our table
                announced = answer.headers.get("Content-Length")
                while block := answer.read(BLOCK_BYTES):
                    file.write(block)
        except (*_NETWORK, http.client.HTTPException) as error:
            return first_line(error)
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
    if announced is not None and size != int(announced):
        return f"{size:,} of {int(announced):,} bytes came"
    if imagenet.checksum is not None and _hash(temporary, imagenet.checksum) != imagenet.checksum:
        return f"what came has not the checksum {imagenet.checksum}"
    return ""


def file_sha256(path: Path) -> str:
    """Return a file's SHA-256, 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    """(layer, wanted, found) in Keras 2's layout, whose layers Keras matches by their order."""
    wanted = [(layer.name, _wanted(layer)) for layer in network.layers if layer.weights]
    found = []
    for name in (_str(n) for n in file.attrs["layer_names"]):
        shapes = [tuple(file[name][_str(w)].shape) for w in file[name].attrs["weight_names"]]
        if shapes:
            found.append((name, shapes))
    return [
        ((want or got)[0], want[1] if want else [], got[1] if got else [])
        for want, got in zip_longest(wanted, found)
    ]


def _pair(network: Any, file: Any) -> list[tuple[str, Shapes, Shapes]]:
    """(layer, wanted, found) in Keras 3's layout: a group a layer, named by counting its class."""
    found = {key: _found(group) for key, group in file["layers"].items()}
    pairs = []
    counts: Counter[str] = Counter()
    for layer in network.layers:
        kind = snake_case(type(layer).__name__)
        key = f"{kind}_{counts[kind]}" if counts[kind] else kind
        counts[kind] += 1
        wanted, got = _wanted(layer), found.pop(key, [])
        if hasattr(layer, "layers"):  # a network within: the file groups its arrays otherwise
            wanted, got = sorted(wanted), sorted(got)
        pairs.append((layer.name, wanted, got))
    return pairs + [(key, [], shapes) for key, shapes in found.items()]


def _found(group: Any) -> Shapes:
    shapes = [tuple(group["vars"][i].shape) for i in sorted(group.get("vars", ()), key=int)]
    for key, within in group.items():
        if key != "vars":
            shapes += _found(within)
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
