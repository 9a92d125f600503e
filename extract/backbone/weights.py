"""Pretrained weights: where they are, and whether they fit."""

from __future__ import annotations

import hashlib
import os
import urllib.error
from dataclasses import dataclass
from pathlib import Path

from ...cache.spec_folder import remove_stale_temporaries
from ...errors import WeightsError, first_line
from ...progress import note
from ...storage import replacing

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


class _BrokenError(Exception):
    """What came is not what was asked for."""


def _download(backbone: str, imagenet: Pretrained, path: Path) -> None:
    """Download under a temporary name, check, rename; what is broken is fetched again."""
    reason = ""
    try:
        remove_stale_temporaries(path.parent)
        for _ in range(ATTEMPTS):
            try:
                with replacing(path, durable=True) as temporary:
                    _fetch(imagenet, temporary)
            except _BrokenError as error:
                reason = first_line(error)
            else:
                return
    except OSError as error:  # of the disk: another attempt would not help
        reason = f"{error.strerror}: {error.filename}"
    raise WeightsError(
        f"cannot download the ImageNet weights of {backbone} "
        f"({reason}): fetch {imagenet.url} elsewhere and put it at "
        f"{path}, or name a file with --weights FILE"
    )


def _fetch(imagenet: Pretrained, target: Path) -> None:
    import http.client
    import urllib.request

    try:
        with urllib.request.urlopen(str(imagenet.url), timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - from our table
            announced = answer.headers.get("Content-Length")
            with open(target, "wb") as file:
                while block := answer.read(BLOCK_BYTES):
                    file.write(block)
    except (*_NETWORK, http.client.HTTPException) as error:
        raise _BrokenError(first_line(error)) from error
    size = target.stat().st_size
    if announced is not None and size != int(announced):
        raise _BrokenError(f"{size:,} of {int(announced):,} bytes came")
    if imagenet.checksum is not None and _hash(target, imagenet.checksum) != imagenet.checksum:
        raise _BrokenError(f"what came has not the checksum {imagenet.checksum}")


def file_sha256(path: Path) -> str:
    """Return a file's SHA-256, 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
