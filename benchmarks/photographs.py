"""Photographs to measure on: ../shared's where they are at hand, else generated ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SHARED = Path(__file__).parents[2] / "shared"


def folders(scratch: Path) -> list[Path]:
    """Return dataset folders."""
    shared = [SHARED / "data" / name for name in ("monkeys10", "flowers17")]
    return [path for path in shared if path.is_dir()] or [generated(scratch / "generated", 400)]


def generated(folder: Path, count: int, size: tuple[int, int] = (375, 500)) -> Path:
    """Write JPEGs of coloured blotches, two classes."""
    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / "ab"[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 256, (15, 20, 3), dtype=np.uint8)
        Image.fromarray(small).resize((size[1], size[0])).save(path, quality=90)
    return folder
