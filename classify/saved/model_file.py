"""A model's file: a zip of a JSON manifest and parts, each with its checksum."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

from ...errors import ModelError, first_line
from ...storage import replacing

MANIFEST = "manifest.json"
FORMAT_VERSION = 3  # 1 and 2, before the first release, named modules of ours

# A crafted zip of a few kilobytes can hold gigabytes. What headstart writes, arrays and JSON,
# shrinks far less than this.
MOST_INFLATED = 32  # times the file's size
SPARE_BYTES = 16 << 20


def write_parts(path: Path, manifest: dict[str, Any], parts: dict[str, bytes]) -> None:
    """Write the file in one go, format version and checksums in its manifest.

    Raises
    ------
    ModelError
        If the file cannot be written; nothing half-written is left.
    """
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}
    whole = {"format_version": FORMAT_VERSION, **manifest, "sha256": sums}
    try:
        with (
            replacing(path, durable=True) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as file,
        ):
            file.writestr(MANIFEST, json.dumps(whole, indent=1))
            for name, content in parts.items():
                file.writestr(name, content)
    except OSError as error:
        raise ModelError(f"cannot write the model {path}: {error.strerror}") from error


def read_parts(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read manifest and parts, their checksums compared; no code runs.

    Raises
    ------
    ModelError
        If it is no model, damaged, of another format, or has parts that its
        manifest does not list.
    """
    try:
        with zipfile.ZipFile(path) as file:
            _check_inflation(file, path.stat().st_size)
            manifest = json.loads(file.read(MANIFEST))
            version = int(manifest["format_version"])
            known = version == FORMAT_VERSION
            sums = dict(manifest["sha256"]) if known else {}
            if known:
                _check_names([info.filename for info in file.infolist()], [MANIFEST, *sums])
            parts = {name: file.read(name) for name in sums}
        for content in parts.values():
            if zipfile.is_zipfile(io.BytesIO(content)):  # skops and NumPy write zips, too
                with zipfile.ZipFile(io.BytesIO(content)) as inner:
                    _check_inflation(inner, len(content))
    except FileNotFoundError:
        raise ModelError(f"no model file {path}; 'fit head --out FILE' writes one") from None
    except Exception as error:  # zipfile and json raise whatever crafted bytes lead them to
        raise not_a_model(path, error) from error
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


def _check_inflation(file: zipfile.ZipFile, size: int) -> None:
    """Refuse a zip that would grow beyond all measure.

    Raises
    ------
    ValueError
        If its parts are much larger than the ``size`` bytes of the file. zipfile reads no
        more of a part than its header states.
    """
    inflated = sum(info.file_size for info in file.infolist())
    if inflated > MOST_INFLATED * size + SPARE_BYTES:
        raise ValueError(f"{size:,} bytes would grow to {inflated:,}")


def _check_names(names: list[str], wanted: list[str]) -> None:
    """Refuse members that the manifest does not list, lacks, or that stand there twice."""
    odd = sorted(set(names) ^ set(wanted)) or [n for n in names if names.count(n) > 1]
    if odd:
        raise ValueError(f"its parts are not those of its manifest: {odd[0]!a}")


def not_a_model(path: Path, error: Exception) -> ModelError:
    """Build the error for a file that is no model, or none that can be read."""
    return ModelError(f"{path} is not a headstart model, or damaged: {first_line(error)}")
