"""The cache's index against other stores of digests: look-ups, memory, writers, kills, bit flips.

Each store takes rows as segments bring them, and answers where a batch of 4,096 lies. LMDB and
DuckDB are not installed with headstart: pip install lmdb duckdb.

    python benchmarks/index_stores.py 1000000 10000000 --scratch FOLDER
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from index import BATCH, digests_of, most_memory
from timing import RESULTS, machine

from headstart.cache.compact import MERGED_ROWS
from headstart.cache.index.index import Index, grow, merge
from headstart.cache.spec_folder import run_paths, segment_paths
from headstart.storage import replacing

SEGMENT = 512  # rows that a writer adds at a time
WRITERS, ADDED = 4, 64  # processes side by side, and segments that each adds
KILLS, FLIPS = 10, 60
SMALL = 1 << 16  # rows in which bits are flipped


@dataclass(frozen=True)
class Store:
    """An open store."""

    add: Callable[[np.ndarray], None]  # digests (n, 32), safe on the disk when it returns
    count: Callable[[list[bytes]], int]  # how many of a batch are there


def open_runs(folder: Path) -> Store:
    """Open headstart's: a file of digests stands for a segment."""

    def add(keys: np.ndarray) -> None:
        with replacing(folder / f"{uuid.uuid4().hex}.h5") as temporary:
            temporary.write_bytes(keys.tobytes())

    index, table = [Index()], functools.partial(read_table, folder)

    def look() -> None:
        runs = run_paths(folder)
        names = {path.name for path in segment_paths(folder)}
        index[0] = grow(index[0], folder, names, runs, table)

    def count(batch: list[bytes]) -> int:
        look()
        return int((index[0].look_up(batch)[0] >= 0).sum())

    return Store(add, count)


def read_table(folder: Path, name: str) -> np.ndarray:
    """Return the digests of what stands for a segment."""
    return np.frombuffer((folder / name).read_bytes(), np.uint8).reshape(-1, 32)


def open_lmdb(folder: Path) -> Store:
    """Open LMDB, which syncs at each commit."""
    import lmdb

    base = lmdb.open(str(folder), map_size=16 << 30)

    def add(keys: np.ndarray) -> None:
        pairs = sorted((bytes(key), row.to_bytes(8, "little")) for row, key in enumerate(keys))
        with base.begin(write=True) as writing:
            writing.cursor().putmulti(pairs)

    def count(batch: list[bytes]) -> int:
        with base.begin() as reading:
            return len(reading.cursor().getmulti(sorted(batch)))

    return Store(add, count)


def open_sqlite(folder: Path) -> Store:
    """Open SQLite with a log that is synced at each commit."""
    base = sqlite3.connect(folder / "keys.sqlite", timeout=120)
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("PRAGMA synchronous=FULL")
    base.execute(
        "CREATE TABLE IF NOT EXISTS row (digest BLOB PRIMARY KEY, place INTEGER) WITHOUT ROWID"
    )

    def add(keys: np.ndarray) -> None:
        pairs = sorted((bytes(key), row) for row, key in enumerate(keys))
        with base:
            base.executemany("INSERT OR REPLACE INTO row VALUES (?, ?)", pairs)

    def count(batch: list[bytes]) -> int:
        marks = ",".join("?" * len(batch))
        query = f"SELECT place FROM row WHERE digest IN ({marks})"
        return len(base.execute(query, batch).fetchall())

    return Store(add, count)


def open_duckdb(folder: Path) -> Store:
    """Open DuckDB: a table with no index, since its index lives in memory."""
    import duckdb
    import pyarrow as arrow

    base = duckdb.connect(str(folder / "keys.duckdb"), config={"threads": 1})
    base.execute("CREATE TABLE IF NOT EXISTS row (digest BLOB, place BIGINT)")

    def add(keys: np.ndarray) -> None:
        column = arrow.array(sorted(map(bytes, keys)), arrow.binary())
        base.register("added", arrow.table({"digest": column, "place": np.arange(len(keys))}))
        base.execute("INSERT INTO row SELECT * FROM added")

    def count(batch: list[bytes]) -> int:
        base.register("batch", arrow.table({"digest": arrow.array(batch, arrow.binary())}))
        return len(base.execute("SELECT place FROM row JOIN batch USING (digest)").fetchall())

    return Store(add, count)


STORES = {"runs": open_runs, "lmdb": open_lmdb, "sqlite": open_sqlite, "duckdb": open_duckdb}


def fill(name: str, folder: Path, rows: int) -> dict[str, Any]:
    """Add so many rows, as many at a time as ``compact`` writes; ours are then merged."""
    begin = time.perf_counter()
    store = STORES[name](folder)
    for number, start in enumerate(range(0, rows, MERGED_ROWS)):
        store.add(digests_of(number, min(MERGED_ROWS, rows - start)))
    if name == "runs":
        store.count([bytes(32)])
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    size -= sum(path.stat().st_size for path in folder.glob("*.h5"))  # a part of the segments
    return {"seconds": time.perf_counter() - begin, "bytes_a_row": size / rows}


def merge_runs(name: str, folder: Path, rows: int) -> dict[str, Any]:
    """Merge all runs into one, as ``compact`` does."""
    del name, rows
    names = {path.name for path in segment_paths(folder)}
    known = grow(Index(), folder, names, run_paths(folder), functools.partial(read_table, folder))
    merge([known.write(folder), *known.runs], names, folder)
    return {"runs": len(run_paths(folder))}


def look_up(name: str, folder: Path, rows: int) -> dict[str, Any]:
    """Look batches up in a store that was just opened: such as are there, and such as are not."""
    begin = time.perf_counter()
    store = STORES[name](folder)
    assert store.count([bytes(32)]) == 0
    found = {"seconds_to_open": time.perf_counter() - begin}
    draw = np.random.default_rng(10**9)
    numbers = draw.integers(0, max(1, rows // MERGED_ROWS), 64)
    held = np.concatenate([digests_of(int(number), BATCH // 8) for number in numbers])
    absent = draw.integers(0, 256, (8 * BATCH, 32), np.uint8)
    for kind, keys in (("held", held), ("absent", absent)):
        begin = time.perf_counter()
        for start in range(0, len(keys), BATCH):
            batch = [*{bytes(key) for key in keys[start : start + BATCH]}]
            assert store.count(batch) == (len(batch) if kind == "held" else 0)
        found[f"{kind}_a_second"] = len(keys) / (time.perf_counter() - begin)
    return found


def write_side_by_side(name: str, folder: Path, rows: int) -> dict[str, Any]:
    """Add segments from several processes at once."""
    del rows
    begin = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(WRITERS) as pool:
        ended = pool.starmap(add_some, [(name, folder, n) for n in range(WRITERS)])
    seconds = time.perf_counter() - begin
    store, held = STORES[name](folder), 0
    for writer in range(WRITERS):
        for number in range(ADDED):
            held += store.count([*map(bytes, digests_of(writer * ADDED + number, SEGMENT))])
    return {"seconds": seconds, "held": held, "of": WRITERS * ADDED * SEGMENT, "errors": ended}


def add_some(name: str, folder: Path, writer: int) -> str | None:
    """Add one writer's segments; return what went wrong."""
    try:
        store = STORES[name](folder)
        for number in range(ADDED):
            store.add(digests_of(writer * ADDED + number, SEGMENT))
    except Exception as error:
        return str(error).partition("\n")[0][:100]
    return None


def kill(name: str, folder: Path, rows: int) -> dict[str, Any]:
    """Kill a writer again and again; count the rows that it had been told are safe and are lost."""
    del rows
    lost = unopened = told = 0
    for number in range(KILLS):
        place = folder / str(number)
        place.mkdir()
        command = [sys.executable, __file__, "1", "--step", "write for ever", "--store", name]
        with subprocess.Popen(
            [*command, "--scratch", str(place)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            wanted = 3 + 2 * number
            added = [writer.stdout.readline() for _ in range(wanted)]
            time.sleep(0.001 * number)
            writer.send_signal(signal.SIGKILL)
            added += writer.stdout.readlines()
        safe = sum(line.endswith("\n") for line in added)
        told += safe
        try:
            store = STORES[name](place)
            held = sum(store.count([*map(bytes, digests_of(n, SEGMENT))]) for n in range(safe))
            lost += safe * SEGMENT - held
        except Exception:
            unopened += 1
    return {"kills": KILLS, "rows_told": told * SEGMENT, "lost": lost, "unopened": unopened}


def write_for_ever(name: str, folder: Path, rows: int) -> dict[str, Any]:
    """Add segment after segment, and say so."""
    del rows
    store = STORES[name](folder)
    for number in range(10**9):
        store.add(digests_of(number, SEGMENT))
        print(number, flush=True)
    return {}


def flip(name: str, folder: Path, rows: int) -> dict[str, Any]:
    """Flip a bit of the store's files; say what becomes of looking all rows up, bit for bit."""
    del rows
    store = STORES[name](folder)
    keys = digests_of(0, SMALL)
    store.add(keys)
    if name == "runs":  # so few rows stay in memory else
        merge_runs(name, folder, 0)
    if name == "duckdb":
        import duckdb

        duckdb.connect(str(folder / "keys.duckdb"), config={"threads": 1}).execute("CHECKPOINT")
    del store
    files = [p for p in folder.iterdir() if p.suffix != ".h5" and p.name != "lock.mdb"]
    files = [path for path in files if path.stat().st_size]
    became: Counter[str] = Counter()
    draw = random.Random(0)
    for _ in range(FLIPS):
        (path,) = draw.choices(files, [file.stat().st_size for file in files])
        whole = path.read_bytes()
        place = draw.randrange(len(whole))
        torn = bytearray(whole)
        torn[place] ^= 1 << draw.randrange(8)
        path.write_bytes(torn)
        command = [sys.executable, __file__, "1", "--step", "look all up", "--store", name]
        end = subprocess.run(
            [*command, "--scratch", str(folder)], capture_output=True, text=True, check=False
        )
        became[end.stdout.strip() if end.returncode == 0 else "ends in an error"] += 1
        path.write_bytes(whole)
    return dict(became)


def look_all_up(name: str, folder: Path, rows: int) -> dict[str, Any]:
    """Look the rows of :func:`flip` up, and say whether all are there."""
    del rows
    store, keys = STORES[name](folder), digests_of(0, SMALL)
    count = sum(
        store.count([*map(bytes, keys[start : start + BATCH])]) for start in range(0, SMALL, BATCH)
    )
    print("all right" if count == SMALL else "silently wrong")
    return {}


STEPS: dict[str, Callable[[str, Path, int], dict[str, Any]]] = {
    "fill": fill,
    "look-ups": look_up,
    "merge": merge_runs,
    "look-ups, merged": look_up,
    "four writers": write_side_by_side,
    "kills": kill,
    "bit flips": flip,
    "write for ever": write_for_ever,
    "look all up": look_all_up,
}
SAME_FOLDER = ("fill", "look-ups", "merge", "look-ups, merged")


def measure(name: str, step: str, folder: Path, rows: int) -> dict[str, Any]:
    """Take one step in a process of its own."""
    command = [sys.executable, __file__, str(rows), "--step", step, "--store", name]
    end = subprocess.run(
        [*command, "--scratch", str(folder)], capture_output=True, text=True, check=False
    )
    if end.returncode:
        return {"failed": end.stderr.strip().splitlines()[-1]}
    found: dict[str, Any] = json.loads(end.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure; write ``results/index_stores.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="+")
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--store", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        line = STEPS[options.step](options.store, options.scratch, options.rows[0])
        if line:
            print(json.dumps(line | {"megabytes": most_memory()}))
        return
    table = []

    def take(name: str, step: str, folder: Path, rows: int) -> None:
        table.append({"store": name, "rows": rows, "step": step})
        table[-1] |= measure(name, step, folder, rows)
        print(json.dumps(table[-1]), file=sys.stderr)

    for name in STORES:
        for rows in options.rows:
            with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
                for step in SAME_FOLDER:
                    if name == "runs" or not step.endswith(("merge", "merged")):
                        take(name, step, Path(folder), rows)
        for step in ("four writers", "kills", "bit flips"):
            with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
                take(name, step, Path(folder), 0)
    document = {"machine": machine(), "load": os.getloadavg(), "stores": table}
    (RESULTS / "index_stores.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
