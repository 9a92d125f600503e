"""Photographs to labels against photographs to features: what labelling adds to extraction.

Run from the project's root: ``make bench``. Whole commands in processes of their own, start-up
included, each with an empty cache beside which the exported network lies already.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from photographs import folders
from timing import Ways, in_turns, report

from headstart.extract.images.dataset import read_dataset


def main() -> None:
    """Measure commands on whole folders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    tables = {}
    with tempfile.TemporaryDirectory() as scratch:
        for folder in folders(Path(scratch)):
            count = len(read_dataset(folder).images)
            title = f"MobileNet, {folder.name}, {count:,} images, cold cache"
            tables[title] = in_turns(commands(folder, count, Path(scratch)), options.rounds)
    report("predicting", tables, "images")


def commands(folder: Path, count: int, scratch: Path) -> Ways:
    """Return ``predict`` in its formats, and ``extract features``."""
    place = scratch / folder.name
    model, cache = place / "model.headstart", place / "cache"

    def headstart(*arguments: object) -> None:
        subprocess.run(
            [sys.executable, "-m", "headstart", *map(str, arguments), "--quiet"],
            env={**os.environ, "HEADSTART_CACHE": str(cache), "XDG_CACHE_HOME": str(place / "own")},
            stdout=subprocess.DEVNULL,
            check=True,
        )

    headstart("fit", "head", folder, "--out", model)

    def cold(*arguments: object) -> None:
        for features in [file.parent for file in cache.glob("mobilenet-*/*.h5")]:
            shutil.rmtree(features, ignore_errors=True)
        shutil.rmtree(place / "own", ignore_errors=True)  # what is known of files on this machine
        headstart(*arguments)

    return {
        "predict": (lambda: cold("predict", model, folder), count),
        "predict --format jsonl": (
            lambda: cold("predict", model, folder, "--format", "jsonl"),
            count,
        ),
        "extract features": (lambda: cold("extract", "features", folder), count),
    }


if __name__ == "__main__":
    main()
