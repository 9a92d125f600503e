"""Search against brute force, and labels in the page's order against labels in random order.

Run from the project's root: ``make bench``. The orders are measured on ../shared's photographs
where they are at hand, five seeds, on the evaluation split.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from photographs import SHARED
from sklearn.neighbors import NearestNeighbors
from timing import RESULTS, Ways, in_turns, report

from headstart.classify.data.collection import load_collection
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
    """Return ways to find the nearest of synthetic directions; all find the same."""
    random = np.random.default_rng(0)
    rows = np.abs(random.normal(size=(ROWS, COLUMNS))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    queries = rows[random.integers(ROWS, size=SEARCHES)]
    brute = NearestNeighbors(n_neighbors=TOP, algorithm="brute", metric="cosine").fit(rows)

    def ours() -> list[np.ndarray]:
        return [nearest(rows, ROWS, query, TOP)[0] for query in queries]

    def by_numpy() -> list[np.ndarray]:
        return [np.argsort(-(rows @ query), kind="stable")[:TOP] for query in queries]

    def by_sklearn() -> list[np.ndarray]:
        return [brute.kneighbors(query[None])[1][0] for query in queries]

    for found in (by_numpy(), by_sklearn()):
        assert all(set(a) == set(b) for a, b in zip(ours(), found, strict=True))
    ways = {"headstart": ours, "numpy, all sorted": by_numpy, "scikit-learn, brute": by_sklearn}
    return {name: (way, SEARCHES) for name, way in ways.items()}


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
