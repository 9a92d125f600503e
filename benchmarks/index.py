"""A cache of very many rows: memory, look-ups and start of what reads it, in processes of their own.

Makes a cache in the real format with small random features, and a stat index that knows their
files, then measures each reader.

    python benchmarks/index.py 1000000 10000000 30000000 --scratch FOLDER
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import numpy as np
from PIL import Image
from timing import RESULTS, machine

from headstart.cache import FeatureStore, Sighting, StatIndex, stat_index_path
from headstart.cache.catalogue import holdings
from headstart.cache.compact import MERGED_ROWS, compact
from headstart.cache.segment import write_segment
from headstart.cache.verify import verify
from headstart.extract.feature_run import extract_photographs
from headstart.extract.photographs import Photographs
from headstart.extract.recipe import Execution
from headstart.extract.source import FeatureSource, feature_source

COLUMNS = 4
BATCH = 4096  # digests a look-up: a shard's
LONG_AGO = 1_600_000_000_123_456_789


def digests_of(number: int, rows: int) -> np.ndarray:
    """Return the digests (rows, 32) of a segment."""
    return np.random.default_rng(number).integers(0, 256, (rows, 32), np.uint8)


def make(cache: Path, rows: int) -> None:
    """Fill a cache, and the stat index, with segments as ``compact`` leaves them."""
    source = feature_source(execution=Execution(cache=cache))
    features = np.random.default_rng(0).random((MERGED_ROWS, COLUMNS), np.float32)
    with StatIndex(stat_index_path()) as stat_index:
        for number, start in enumerate(range(0, rows, MERGED_ROWS)):
            count = min(MERGED_ROWS, rows - start)
            digests = [*map(bytes, digests_of(number, count))]
            write_segment(
                cache / source.spec.folder, source.spec, digests, features[:count], (COLUMNS,)
            )
            seen = (
                Sighting(Unreal(start + row), Unreal.looks, LONG_AGO + 10**12, digest)
                for row, digest in enumerate(digests)
            )
            stat_index.record(seen)


@dataclass(frozen=True, slots=True)
class Unreal:
    """A file that is not there, but looks as if."""

    number: int
    looks = SimpleNamespace(st_size=7, st_mtime_ns=LONG_AGO, st_ctime_ns=LONG_AGO, st_ino=11)

    def absolute(self) -> Unreal:
        """Return it as it is."""
        return self

    def stat(self) -> SimpleNamespace:
        """Return how it looks."""
        return self.looks

    def __str__(self) -> str:
        return f"/photographs/{self.number // 1000:06}/{self.number:09}.jpg"


class Listing(Sequence[Any]):
    """So many of them, and some that are there."""

    def __init__(self, numbers: range, more: Sequence[Path] = ()) -> None:
        self._numbers, self._more = numbers, more

    def __len__(self) -> int:
        return len(self._numbers) + len(self._more)

    def __getitem__(self, place: Any) -> Any:
        if not isinstance(place, slice):
            return self[place : place + 1][0]
        end = len(self._numbers)
        after = self._more[max(0, place.start - end) : max(0, place.stop - end)]
        return [*map(Unreal, self._numbers[place]), *after]

    def __iter__(self) -> Iterator[Any]:
        return itertools.chain(map(Unreal, self._numbers), self._more)


def open_store(cache: Path) -> FeatureStore:
    """Open the only spec's store."""
    return feature_source(execution=Execution(cache=cache)).store()


def read_index(cache: Path, rows: int) -> dict[str, Any]:
    """Open the store, and look up batches that it holds and batches that it does not."""
    del rows
    begin = time.perf_counter()
    store = open_store(cache)
    opening = time.perf_counter() - begin
    segments = len(store.snapshot().covered)
    random = np.random.default_rng(10**9)  # no segment's
    there = [
        [*map(bytes, digests_of(int(n), MERGED_ROWS)[: BATCH // 8])]
        for n in random.integers(0, max(1, segments - 1), 64)
    ]
    batches = [[*itertools.chain(*there[i : i + 8])] for i in range(0, 64, 8)]
    absent = [[*map(bytes, random.integers(0, 256, (BATCH, 32), np.uint8))] for _ in range(8)]
    seconds = {}
    for name, some, held in (("held", batches, True), ("absent", absent, False)):
        begin = time.perf_counter()
        for batch in some:
            assert (store.holds(batch) == held).all()
        seconds[name] = BATCH * len(some) / (time.perf_counter() - begin)
    return {
        "seconds_to_open": opening,
        "runs": len(store.snapshot().runs),
        "segments": segments,
        "held_a_second": seconds["held"],
        "absent_a_second": seconds["absent"],
    }


def read_info(cache: Path, rows: int) -> dict[str, Any]:
    """Count as ``cache info`` does."""
    (row,) = holdings(cache)
    assert (row["rows"], row["images"]) == (rows, rows)
    return {}


def read_sample(cache: Path, rows: int) -> dict[str, Any]:
    """Verify as ``cache verify --sample 4`` does."""
    del rows
    found = verify(cache, sample=4)
    assert not found.problems
    return {}


def read_all(cache: Path, rows: int) -> dict[str, Any]:
    """Extract, where all is cached."""
    source = feature_source(execution=Execution(cache=cache))
    return extract(Listing(range(rows)), source, new=0)


def read_new(cache: Path, rows: int) -> dict[str, Any]:
    """Extract, where all is cached but for one, which a stand-in for a network computes."""
    source = feature_source(execution=Execution(cache=cache))
    photograph = cache.parent / "new.png"
    Image.new("RGB", (32, 32)).save(photograph)
    parts = (source.recipe, source.execution, source.spec, source.weights, source.cache)
    return extract(Listing(range(rows), [photograph]), Pretended(*parts, source.plan), new=1)


def extract(images: Listing, source: FeatureSource, new: int) -> dict[str, Any]:
    """Extract the images, of which so many are new."""
    run = extract_photographs(Photographs(images, ""), source)
    found = run.extraction
    assert (found.extracted, found.duplicates, found.failures) == (new, 0, [])
    return {"images_a_second": len(images) / found.seconds}


class Pretended(FeatureSource):
    """What has features for nothing."""

    def engine(self) -> Any:
        """Return what gives the same numbers for each image."""
        engine = MagicMock(notes=(), widths=(COLUMNS,), device="cpu")
        engine.side_effect = lambda pixels: np.ones((len(pixels), COLUMNS), np.float32)
        engine.name = "pretended"
        return engine


def merge_all(cache: Path, rows: int) -> dict[str, Any]:
    """Compact."""
    (result,) = compact(cache)
    assert result.rows == rows
    return {}


def nothing(cache: Path, rows: int) -> dict[str, Any]:
    """Import, and resolve the recipe."""
    del rows
    feature_source(execution=Execution(cache=cache))
    return {}


READERS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "nothing": nothing,
    "first opening": read_index,  # makes the index
    "look-ups": read_index,
    "cache info": read_info,
    "cache verify --sample 4": read_sample,
    "extract, all cached": read_all,
    "cache compact": merge_all,
    "look-ups, compacted": read_index,
    "extract, one is new": read_new,
}


def measure(reader: str, cache: Path, rows: int) -> dict[str, Any]:
    """Run one reader in a process of its own."""
    command = [sys.executable, __file__, str(rows), "--reader", reader, "--scratch", str(cache)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    measured: dict[str, Any] = json.loads(told.splitlines()[-1])
    return measured


def measure_sizes(sizes: list[int], scratch: Path | None) -> list[dict[str, Any]]:
    """Make a cache of each size and run all readers."""
    table = []
    for rows in sizes:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            os.environ["XDG_CACHE_HOME"] = str(Path(folder, "user"))
            begin = time.perf_counter()
            make(Path(folder, "cache"), rows)
            print(f"{rows:,} rows made in {time.perf_counter() - begin:.0f} s", file=sys.stderr)
            for reader in READERS:
                line = {
                    "rows": rows,
                    "reader": reader,
                    **measure(reader, Path(folder, "cache"), rows),
                }
                print(json.dumps(line), file=sys.stderr)
                table.append(line)
    return table


def most_memory() -> float:
    """Return the most megabytes that this process had; `getrusage` counts its parent's, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Measure; write ``results/index.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="+")
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--reader", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reader:
        begin = time.perf_counter()
        line = READERS[options.reader](options.scratch, options.rows[0])
        line["seconds"] = time.perf_counter() - begin
        line["megabytes"] = most_memory()
        print(json.dumps(line))
        return
    lines = measure_sizes(options.rows, options.scratch)
    document = {"machine": machine(), "load": os.getloadavg(), "readers": lines}
    (RESULTS / "index.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
