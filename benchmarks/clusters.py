"""Extraction by one process, by Dask's and by Ray's workers on this machine, in turns.

A run is the whole command in a process of its own, with an empty cache; the exported network is
there already. Its rate is that after start-up, which is told beside it. What each run leaves in
the cache is compared with what the first of ``local`` left, value for value.

    python benchmarks/clusters.py ../shared/data/monkeys10
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from timing import RESULTS, machine

from headstart.extract.features import BACKENDS, FeatureOptions, feature_source


def main() -> None:
    """Run each backend in turns and write ``results/clusters.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    runs: dict[str, list[dict[str, Any]]] = {backend: [] for backend in BACKENDS}
    with tempfile.TemporaryDirectory() as scratch:
        reference = Path(scratch, "reference")
        extract(options.data, "local", reference)  # exports the network; its features are compared
        for _ in range(options.rounds):
            for backend in BACKENDS:
                cache = Path(scratch, "cache")
                shutil.copytree(reference / "networks", cache / "networks")
                run = extract(options.data, backend, cache)
                check_equal(cache, reference)
                shutil.rmtree(cache)
                runs[backend].append(run)
                print(backend, run)
    rows = {backend: summary(runs[backend], runs["local"]) for backend in BACKENDS}
    print(
        f"\n| backend | images/s after start-up, median of {options.rounds} | of local's |", end=""
    )
    print(" start-up, s | value for value |\n| --- | --- | --- | --- | --- |")
    for backend, row in rows.items():
        spread = f"{row['rate']:.1f} ({row['slowest']:.1f} to {row['fastest']:.1f})"
        print(f"| {backend} | {spread} | {row['of_local']:.2f} |", end="")
        print(f" {row['startup_seconds']:.1f} | equal |")
    document = {
        "machine": machine(),
        "data": options.data.name,
        "images": runs["local"][0]["extracted"],
        "unit": "images/s after start-up",
        "equal_to_local_value_for_value": True,  # check_equal raises otherwise
        "backends": rows,
    }
    (RESULTS / "clusters.json").write_text(json.dumps(document, indent=1) + "\n")


def extract(data: Path, backend: str, cache: Path) -> dict[str, Any]:
    """Run the command with an empty stat index; return what it counted."""
    command = [sys.executable, "-m", "headstart", "extract", "features", str(data)]
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [*command, "--backend", backend, "--cache", str(cache), "--json", "--quiet"],
            env={**os.environ, "XDG_CACHE_HOME": home},
            capture_output=True,
            text=True,
            check=True,
        )
    assert not done.stderr, done.stderr
    told = json.loads(done.stdout)
    assert not told["reused"]
    assert not told["failed"]
    return {
        "extracted": told["extracted"],
        "rate": told["extracted"] / (told["seconds"] - told["startup_seconds"]),
        "startup_seconds": told["startup_seconds"],
    }


def check_equal(cache: Path, reference: Path) -> None:
    """Compare two caches value for value."""
    ours = feature_source(FeatureOptions(cache=cache)).store()
    theirs = feature_source(FeatureOptions(cache=reference)).store()
    digests = sorted(theirs.digests())
    assert sorted(ours.digests()) == digests
    assert np.array_equal(ours.read(digests), theirs.read(digests))


def summary(runs: list[dict[str, Any]], local: list[dict[str, Any]]) -> dict[str, float]:
    """Return the median rate, its range, and the median over the rounds of rate / local's."""
    rates = [run["rate"] for run in runs]
    ratios = [run["rate"] / other["rate"] for run, other in zip(runs, local, strict=True)]
    return {
        "rate": round(statistics.median(rates), 1),
        "slowest": round(min(rates), 1),
        "fastest": round(max(rates), 1),
        "of_local": round(statistics.median(ratios), 3),
        "startup_seconds": round(statistics.median(run["startup_seconds"] for run in runs), 2),
    }


if __name__ == "__main__":
    main()
