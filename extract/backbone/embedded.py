"""A backbone that travels inside the model's file, and where it is put on arrival."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ...errors import ModelError
from ...storage import replacing
from .facts import record_path

PART = "backbone"  # and its ending


def part_of(path: Path, sha256: str) -> dict[str, bytes]:
    """Return a backbone's file as a part of a model's file.

    Parameters
    ----------
    path : Path
        The file.
    sha256 : str
        Of the backbone, as its spec has it.

    Raises
    ------
    ModelError
        If it is more than one file.
    """
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError(
            f"--embed: {path} is more than one file (a folder, or weights beside it): save the "
            "network as one, or leave --embed out and pass its files on as well"
        )
    return {PART + path.suffix: data}


def unpack(parts: dict[str, bytes], sha256: str) -> Path | None:
    """Put an embedded backbone where this machine keeps its own, under its hash; None without one.

    Raises
    ------
    ModelError
        If it is not the one that the model was trained on, or cannot be written.
    """
    name = next((name for name in parts if name.partition(".")[0] == PART), None)
    if name is None:
        return None
    if hashlib.sha256(parts[name]).hexdigest() != sha256:
        raise ModelError("the embedded backbone is not the one that the model was trained on")
    path = record_path(sha256).with_suffix(Path(name).suffix)
    try:
        if not path.exists():
            with replacing(path) as temporary:
                temporary.write_bytes(parts[name])
    except OSError as error:
        raise ModelError(f"cannot put the embedded backbone at {path}: {error.strerror}") from error
    return path
