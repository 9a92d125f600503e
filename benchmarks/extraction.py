"""Photographs to committed features: ours and the plain Keras way, in turns.

Run from the project's root: ``make bench``. The photographs are ../shared's
where they are at hand, else generated ones.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from headstart.cache import FeatureStore, StatIndex
from headstart.extract.dataset import read_dataset
from headstart.extract.engines import TensorFlowEngine
from headstart.extract.features import FeatureOptions, feature_source
from headstart.extract.pipeline import extract
from headstart.extract.tensorflow import load_keras, load_tensorflow

ROUNDS = 5
SHARED = Path(__file__).parents[2] / "shared" / "data"


def main() -> None:
    """Print medians and ratios, then the same as JSON."""
    with tempfile.TemporaryDirectory() as scratch:
        folders = [p for p in (SHARED / "monkeys10", SHARED / "flowers17") if p.is_dir()]
        results = [measure(f, Path(scratch)) for f in folders or [generated(Path(scratch))]]
    machine = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    json.dump({"machine": machine, "results": results}, sys.stdout, indent=1)
    print()


def measure(folder: Path, scratch: Path) -> dict[str, Any]:
    """Time both on one folder, in turns, after a warm-up of each."""
    paths = [image.path for image in read_dataset(folder).images]
    source = feature_source(FeatureOptions())
    engine = TensorFlowEngine(source.spec, source.weights)
    plain = plain_keras(folder, source)

    def ours() -> None:
        with (
            tempfile.TemporaryDirectory(dir=scratch) as cache,
            StatIndex(Path(cache, "stat.sqlite")) as index,
        ):
            extract(paths, FeatureStore(Path(cache), source.spec), lambda: engine, index)

    ways: dict[str, Callable[[], None]] = {"headstart": ours, "plain Keras": plain}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 1):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            if turn:  # the first is the warm-up
                seconds[name].append(time.perf_counter() - begin)
    pairs = zip(seconds["plain Keras"], seconds["headstart"], strict=True)
    ratio = statistics.median(theirs / own for theirs, own in pairs)
    rates = {name: len(paths) / statistics.median(times) for name, times in seconds.items()}
    for name, rate in rates.items():
        print(f"{folder.name:12s} {name:12s} {rate:6.1f} images/s", file=sys.stderr)
    print(f"{folder.name:12s} ratio        {ratio:6.2f}", file=sys.stderr)
    return {
        "dataset": folder.name,
        "images": len(paths),
        "images_per_second": rates,
        "ratio": ratio,
    }


def plain_keras(folder: Path, source: Any) -> Callable[[], None]:
    """Return the way of Keras' own guides: image_dataset_from_directory and predict."""
    load_tensorflow()
    keras = load_keras()
    base = keras.applications.MobileNet(
        include_top=False, weights=None, pooling="avg", input_shape=(224, 224, 3)
    )
    base.load_weights(source.weights)
    parts = [p for p in sorted(folder.iterdir()) if p.is_dir()]
    if not {"train", "validation"} <= {p.name for p in parts}:
        parts = [folder]

    def run() -> None:
        for part in parts:
            images = keras.utils.image_dataset_from_directory(
                part, image_size=(224, 224), shuffle=False, verbose=False
            ).map(lambda batch, _: keras.applications.mobilenet.preprocess_input(batch))
            base.predict(images, verbose=0)

    return run


def generated(scratch: Path) -> Path:
    """Write 400 JPEGs of noise at 500 x 375 pixels, two classes."""
    rng = np.random.default_rng(0)
    for number in range(400):
        path = scratch / "generated" / "ab"[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 256, (15, 20, 3), dtype=np.uint8)
        Image.fromarray(small).resize((500, 375)).save(path, quality=90)
    return scratch / "generated"


def processor() -> str:
    """Return the processor's name where Linux tells it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
