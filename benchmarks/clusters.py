"""Extraction by one process, by Dask's and by Ray's workers on this machine, in turns.

Each run is a process of its own, with an empty cache; the exported network is there already. Its
rate is that after start-up, which is told beside it. On a shared machine wall times tell what
others were doing as well: so the processor's seconds of all processes are counted, too. What
each run leaves in the cache is compared with what the first of ``local`` left, value for value.

    python benchmarks/clusters.py ../shared/data/monkeys10
"""

from __future__ import annotations

import argparse
import contextlib
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
import psutil
from timing import RESULTS, machine

from headstart.extract.features import ensure_features
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import BACKENDS, Execution
from headstart.extract.source import feature_source
from headstart.progress import Tell, heard_by, silent


def main() -> None:
    """Run each backend in turns and write ``results/clusters.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", metavar="BACKEND", help="do one run and print what was counted")
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(extract(options.data, options.one, options.cache)))
        return
    runs: dict[str, list[dict[str, Any]]] = {backend: [] for backend in BACKENDS}
    with tempfile.TemporaryDirectory() as scratch:
        reference = Path(scratch, "reference")
        extract_apart(options.data, "local", reference)  # exports the network, too
        for _ in range(options.rounds):
            for backend in BACKENDS:
                cache = Path(scratch, "cache")
                shutil.copytree(reference / "networks", cache / "networks")
                runs[backend].append(extract_apart(options.data, backend, cache))
                check_equal(cache, reference)
                shutil.rmtree(cache)
                print(backend, runs[backend][-1], flush=True)
    rows = {backend: summary(runs[backend], runs["local"]) for backend in BACKENDS}
    show(rows, options.rounds)
    document = {
        "machine": machine(),
        "load_average": os.getloadavg()[2],  # of fifteen minutes: others' work is in it
        "data": options.data.name,
        "images": runs["local"][0]["extracted"],
        "equal_to_local_value_for_value": True,  # check_equal raises otherwise
        "backends": rows,
        "runs": runs,
    }
    (RESULTS / "clusters.json").write_text(json.dumps(document, indent=1) + "\n")


def show(rows: dict[str, dict[str, float]], rounds: int) -> None:
    """Print the table in Markdown."""
    print(f"\n| backend | images/s after start-up, median of {rounds} | of local's ", end="")
    print("| images a processor's second | of local's | start-up, s |")
    print("| --- | --- | --- | --- | --- | --- |")
    for backend, row in rows.items():
        spread = f"{row['rate']:.0f} ({row['slowest']:.0f} to {row['fastest']:.0f})"
        print(
            f"| {backend} | {spread} | {row['of_local']:.2f} | {row['by_processor']:.0f} ", end=""
        )
        print(f"| {row['by_processor_of_local']:.2f} | {row['startup_seconds']:.1f} |")


def extract_apart(data: Path, backend: str, cache: Path) -> dict[str, Any]:
    """Do one run in a process of its own, with an empty stat index."""
    command = [sys.executable, __file__, str(data), "--one", backend, "--cache", str(cache)]
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            command,
            env={**os.environ, "XDG_CACHE_HOME": home},
            capture_output=True,
            text=True,
            check=True,
        )
    assert not done.stderr, done.stderr
    counted: dict[str, Any] = json.loads(done.stdout)
    return counted


def extract(data: Path, backend: str, cache: Path) -> dict[str, Any]:
    """Extract; return images a second, and a processor's second, after start-up."""
    paths = [image.path for image in read_dataset(data).images]
    marks: list[float] = []

    class Ready:
        def stage(self, name: str) -> Tell:
            del name
            return silent

        def note(self, line: str) -> None:
            if line.endswith("on this machine"):  # the workers are ready
                marks.append(processor_seconds())

    def progress(done: int, total: int, note: str = "") -> None:
        del note
        if done == total:
            marks.append(processor_seconds())

    source = feature_source(execution=Execution(cache=cache, backend=backend))
    if backend == "local":
        marks.append(processor_seconds())
    with heard_by(Ready()):
        extraction, _ = ensure_features(paths, source, source.store(), progress)
    assert not extraction.reused
    assert not extraction.failures
    return {
        "extracted": extraction.extracted,
        "rate": extraction.extracted / (extraction.seconds - extraction.startup_seconds),
        "by_processor": extraction.extracted / (marks[1] - marks[0]),
        "startup_seconds": extraction.startup_seconds,
    }


def processor_seconds() -> float:
    """Return the processor's seconds of this process and of all below it."""
    here = psutil.Process()
    total = 0.0
    for process in (here, *here.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def check_equal(cache: Path, reference: Path) -> None:
    """Compare two caches value for value."""
    ours = feature_source(execution=Execution(cache=cache)).store()
    theirs = feature_source(execution=Execution(cache=reference)).store()
    digests = sorted(theirs.digests())
    assert sorted(ours.digests()) == digests
    assert np.array_equal(ours.read(digests), theirs.read(digests))


def summary(runs: list[dict[str, Any]], local: list[dict[str, Any]]) -> dict[str, float]:
    """Return the median rate, its range, and the median over the rounds of rate / local's."""

    def of_local(key: str) -> float:
        pairs = zip(runs, local, strict=True)
        return round(statistics.median(run[key] / alone[key] for run, alone in pairs), 3)

    rates = [run["rate"] for run in runs]
    return {
        "rate": round(statistics.median(rates), 1),
        "slowest": round(min(rates), 1),
        "fastest": round(max(rates), 1),
        "of_local": of_local("rate"),
        "by_processor": round(statistics.median(run["by_processor"] for run in runs), 1),
        "by_processor_of_local": of_local("by_processor"),
        "startup_seconds": round(statistics.median(run["startup_seconds"] for run in runs), 2),
    }


if __name__ == "__main__":
    main()
