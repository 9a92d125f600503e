"""A model's file: a zip of a JSON manifest and parts, each with its checksum."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any

from ..errors import ModelError

MANIFEST = "manifest.json"
FORMAT_VERSION = 2  # 1 held scikit-learn's calibration, before the first release


def write_parts(path: Path, manifest: dict[str, Any], parts: dict[str, bytes]) -> None:
    """Write the file in one go: nothing half-written is left.

    Parameters
    ----------
    path : Path
        Replaced when it exists.
    manifest : dict
        JSON; format version and checksums are added.
    parts : dict
        Name to content.

    Raises
    ------
    ModelError
        If the file cannot be written.
    """
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}
    whole = {"format_version": FORMAT_VERSION, **manifest, "sha256": sums}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(MANIFEST, json.dumps(whole, indent=1))
            for name, content in parts.items():
                file.writestr(name, content)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ModelError(f"cannot write the model {path}: {error.strerror}") from error


def read_parts(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read manifest and parts, their checksums compared; no code runs.

    Parameters
    ----------
    path : Path
        What :func:`write_parts` wrote.

    Raises
    ------
    ModelError
        If it is no model, damaged, or of another format.
    """
    try:
        with zipfile.ZipFile(path) as file:
            manifest = json.loads(file.read(MANIFEST))
            version = int(manifest["format_version"])
            sums = dict(manifest["sha256"])
            known = version == FORMAT_VERSION
            parts = {name: file.read(name) for name in sums} if known else {}
    except FileNotFoundError:
        raise ModelError(f"no model file {path}; 'fit head --out FILE' writes one") from None
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise ModelError(f"{path} is not a headstart model, or damaged: {error}") from error
    if not known:
        age, remedy = (
            ("newer", "upgrade headstart")
            if version > FORMAT_VERSION
            else ("older", "train it again, the features are still cached")
        )
        raise ModelError(
            f"{path} has model format {version}, {age} than this headstart's {FORMAT_VERSION}: "
            f"{remedy}"
        )
    for name, content in parts.items():
        if hashlib.sha256(content).hexdigest() != sums[name]:
            raise ModelError(f"{path} is damaged: {name} does not match its checksum")
    return manifest, parts
