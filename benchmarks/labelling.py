"""Search against brute force and by an index, and labels in the page's order against labels in random order.

Run from the project's root: ``make bench``. The orders are measured on ../shared's photographs
where they are at hand, five seeds, on the evaluation split.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from photographs import SHARED
from sklearn.neighbors import NearestNeighbors
from timing import RESULTS, Ways, in_turns, report

from headstart.classify.data.collection import load_collection
from headstart.classify.data.near_index import NearIndex, open_index
from headstart.classify.label.simulate import simulate
from headstart.classify.search.nearest import nearest
from headstart.extract.images.dataset import read_photographs
from headstart.extract.source import feature_source

ROWS, COLUMNS, TOP, SEARCHES = 60_000, 1024, 20, 10  # as many columns as MobileNet has features
GOALS = {"monkeys10": 0.95, "flowers17": 0.92}
LABELS = 400  # at most


def main() -> None:
    """Time searches; count labels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    tables = {f"{ROWS:,} × {COLUMNS:,} features": in_turns(searches(), options.rounds)}
    report("searching", tables, "searches")
    documents = [
        order(name, goal, options.seeds)
        for name, goal in GOALS.items()
        if (SHARED / "data" / name).is_dir()
    ]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "labelling.json").write_text(json.dumps(documents, indent=1) + "\n")


def searches() -> Ways:
    """Return ways to find the nearest; all but the index find the same."""
    rows = mixtures(ROWS)
    queries = rows[np.random.default_rng(1).integers(ROWS, size=SEARCHES)]
    brute = NearestNeighbors(n_neighbors=TOP, algorithm="brute", metric="cosine").fit(rows)
    index = indexed(rows)

    def ours() -> list[np.ndarray]:
        return [nearest(rows, ROWS, query, TOP)[0] for query in queries]

    def by_numpy() -> list[np.ndarray]:
        return [np.argsort(-(rows @ query), kind="stable")[:TOP] for query in queries]

    def by_sklearn() -> list[np.ndarray]:
        return [brute.kneighbors(query[None])[1][0] for query in queries]

    def by_index() -> list[np.ndarray]:
        return [index.nearest(query[None], TOP)[0] for query in queries]

    for found in (by_numpy(), by_sklearn()):
        assert all(set(a) == set(b) for a, b in zip(ours(), found, strict=True))
    ways = {
        "headstart": ours,
        "numpy, all sorted": by_numpy,
        "scikit-learn, brute": by_sklearn,
        "headstart, --index": by_index,
    }
    return {name: (way, SEARCHES) for name, way in ways.items()}


def mixtures(count: int) -> np.ndarray:
    """Return unit vectors between any two photographs' features: as many as are wanted, and alike."""
    random = np.random.default_rng(0)
    present = [SHARED / "data" / name for name in GOALS if (SHARED / "data" / name).is_dir()]
    if present:
        datasets = [read_photographs(path) for path in present]
        given = [load_collection(d, feature_source(dataset=d)).directions for d in datasets]
        base = np.concatenate(given)
    else:  # of 32 dimensions, as photographs are of few
        base = np.abs(random.normal(size=(3_000, 32)) @ random.normal(size=(32, COLUMNS)))
    one, other = random.integers(len(base), size=(2, count))
    share = random.random((count, 1), dtype=np.float32)
    rows = (share * base[one] + (1 - share) * base[other]).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def indexed(rows: np.ndarray) -> NearIndex:
    """Return an index of the rows, and print what it took and what it finds."""
    digests = [number.to_bytes(8) for number in range(len(rows))]
    with tempfile.TemporaryDirectory() as folder:
        path, begin = Path(folder, "rows.usearch"), time.perf_counter()
        index = open_index(path, rows, digests)
        seconds, size = time.perf_counter() - begin, path.stat().st_size / 1e6
    recall = index.recall(rows[np.random.default_rng(2).permutation(len(rows))[:1_000]])
    print(f"index of {len(rows):,}: {seconds:.0f} s, {size:,.0f} MB, recall {recall:.4f}")
    return index


def order(name: str, goal: float, seeds: int) -> dict:
    """Simulate labelling one dataset, and print how many labels each order took."""
    dataset = read_photographs(SHARED / "data" / name)
    collection = load_collection(dataset, feature_source(dataset=dataset))
    document = simulate(collection, seeds, LABELS, goal)
    print(f"\n| {name} | labels to {100 * goal:g} %, mean of runs | 95 % interval | by run |")
    print("| --- | --- | --- | --- |")
    for strategy in document["strategies"]:
        needed = strategy["needed"]
        print(
            f"| {strategy['name']} | {needed['mean']} | {needed['ci95']} | {needed['by_seed']} |",
            flush=True,
        )
    return document


if __name__ == "__main__":
    main()
