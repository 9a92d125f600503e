"""Very many small photographs: a folder, tar and Parquet; cold, cached, and listed anew.

Generates JPEGs of 32 pixels and extracts them by the real network, each run in a
process of its own, whose most memory and rate are told.

    python benchmarks/many_photographs.py 60000 --scratch FOLDER
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from index import most_memory
from PIL import Image
from timing import RESULTS, machine

from headstart.api.extract_features import extract_features

PIXELS, SEEN_AT, CLASSES = 32, 64, 10  # 64 is the least that the network takes


def photograph(number: int) -> bytes:
    """Return a JPEG unlike all others."""
    pixels = np.random.default_rng(number).integers(0, 256, (4, 4, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((PIXELS, PIXELS)).save(file, "JPEG")
    return file.getvalue()


def make_folder(place: Path, count: int) -> Path:
    """Write a file for each, in class folders."""
    for number in range(count):
        path = place / "folder" / f"class-{number % CLASSES}" / f"{number:07}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photograph(number))
    return place / "folder"


def make_tar(place: Path, count: int) -> Path:
    """Write a WebDataset of one file."""
    with tarfile.open(place / "all.tar", "w") as tar:
        for number in range(count):
            for ending, data in (
                (".jpg", photograph(number)),
                (".cls", b"%d" % (number % CLASSES)),
            ):
                member = tarfile.TarInfo(f"{number:07}{ending}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return place / "all.tar"


def make_parquet(place: Path, count: int) -> Path:
    """Write a table of one file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = [photograph(number) for number in range(count)]
    labels = [number % CLASSES for number in range(count)]
    pq.write_table(pa.table({"image": images, "label": labels}), place / "all.parquet")
    return place / "all.parquet"


FORMS = {"folder": make_folder, "tar": make_tar, "parquet": make_parquet}


def run(data: Path, cache: Path) -> dict[str, Any]:
    """Extract in this process."""
    found = extract_features(data, cache=cache, input_size=SEEN_AT).to_dict()
    seconds = found["seconds"] - found["startup_seconds"]
    told = {name: found[name] for name in ("images", "extracted", "reused", "seconds")}
    return told | {"images_a_second": found["images"] / seconds, "megabytes": most_memory()}


def measure(form: str, what: str, data: Path, cache: Path) -> dict[str, Any]:
    """Extract in a process of its own."""
    command = [sys.executable, __file__, "0", "--run", str(data), "--scratch", str(cache)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    line = {"form": form, "run": what, **json.loads(told.splitlines()[-1])}
    print(json.dumps(line), file=sys.stderr)
    return line


def main() -> None:
    """Measure; write ``results/many_photographs.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", type=int, nargs="+")
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(run(options.run, options.scratch)))
        return
    table = []
    for count in options.counts:
        for form, make in FORMS.items():
            with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
                place = Path(folder)
                os.environ["XDG_CACHE_HOME"] = str(place / "user")
                data, cache = make(place, count), place / "cache"
                table.append(measure(form, "cold", data, cache))
                table.append(measure(form, "cached", data, cache))
                shutil.rmtree(place / "user")  # the stat index, and what shards were seen to hold
                table.append(measure(form, "listed anew", data, cache))
    document = {"machine": machine(), "load": os.getloadavg(), "runs": table}
    (RESULTS / "many_photographs.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
