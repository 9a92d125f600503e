"""What a network in a file is, known without running it; kept by hash, so that it is read once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...storage import replacing, user_folder

_UNWRITTEN: dict[Path, str] = {}  # records that could not be written, by where they belong


@dataclass(frozen=True, slots=True)
class Facts:
    """What can be told of a network in a file."""

    side: int | None  # of the square images that it takes, in pixels; None when free
    raw: bool  # pixels of 0 to 255 go in: what is done to them is inside its graph
    layer: str  # where features are tapped unless told otherwise
    parameters: float  # millions
    activation_mb: int  # of the two largest neighbouring activations of one image
    multiply_adds: float  # billions an image
    layers: list[dict[str, Any]]  # name, kind and shape of what can be tapped, batch left out
    settings: dict[str, Any] = field(default_factory=dict)  # preprocessing, as the file says it

    def channels(self, layer: str) -> int:
        """Return the channels of what is tapped there; 0 where that cannot be told."""
        shape = next((row["shape"] for row in self.layers if row["name"] == layer), [None])
        first = len(shape) == 3 and shape[1] == shape[2] != shape[0]
        return int((shape[0] if first else shape[-1]) or 0)


def record_path(sha256: str) -> Path:
    """Return where this machine keeps what it was told of a network with this hash."""
    return user_folder() / "backbones" / f"{sha256}.json"


def read_record(sha256: str) -> dict[str, Any]:
    """Return what is kept of a network: its ``file``, ``settings``, ``golden`` and ``facts``."""
    path = record_path(sha256)
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not seen yet, cut short, or a home that cannot be written
        record = json.loads(_UNWRITTEN.get(path, "{}"))
    return record


def keep_record(sha256: str, record: dict[str, Any]) -> None:
    """Keep what is known of a network: for this process alone where the home cannot be written."""
    path, text = record_path(sha256), json.dumps(record)
    try:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError:
        _UNWRITTEN[path] = text


def seen_files(begins: str) -> list[str]:
    """Return where networks were seen last whose SHA-256 begins so."""
    paths = [*record_path(begins).parent.glob(f"{begins}*.json"), *_UNWRITTEN]
    records = [read_record(path.stem) for path in sorted(paths) if path.stem.startswith(begins)]
    return [record["file"] for record in records if "file" in record]
