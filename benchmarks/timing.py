"""Ways timed against each other, in turns, in one run: on a shared machine only ratios count."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"

Ways = dict[str, tuple[Callable[[], object], int]]  # what is timed, and how much it does


def in_turns(ways: Ways, rounds: int = 5, *, warm_up: bool = True) -> dict[str, dict[str, float]]:
    """Run each way once a round after a warm-up round, and compare each with the first.

    Parameters
    ----------
    ways : dict
        Name to what is timed and how many things it does; the first is ours.
    rounds : int
        At least five, or one of something that takes minutes.
    warm_up : bool
        Whether a round before the others is not counted.

    Returns
    -------
    dict
        Way to ``rate`` (things a second, median), ``slowest`` and ``fastest``, and ``ratio``:
        the median over the rounds of our rate divided by its own.
    """
    each: dict[str, list[float]] = {name: [] for name in ways}  # seconds a thing
    for turn in range(rounds + warm_up):
        for name, (way, amount) in ways.items():
            begin = time.perf_counter()
            way()
            if turn or not warm_up:
                each[name].append((time.perf_counter() - begin) / amount)
    ours = each[next(iter(ways))]
    return {
        name: {
            "rate": round(1 / statistics.median(times), 4),
            "slowest": round(1 / max(times), 4),
            "fastest": round(1 / min(times), 4),
            "ratio": round(statistics.median(t / o for t, o in zip(times, ours, strict=True)), 3),
        }
        for name, times in each.items()
    }


def report(name: str, tables: dict[str, dict[str, dict[str, float]]], unit: str) -> None:
    """Print the tables in Markdown, and write them with the machine to ``results/NAME.json``."""
    about = machine()
    print(f"{about['processor']}, {about['cores']} cores; " + ", ".join(about["versions"]))
    for title, rows in tables.items():
        ours = next(iter(rows))
        print(f"\n| {title} | {unit}/s, median (slowest to fastest) | {ours} is faster by |")
        print("| --- | --- | --- |")
        for way, row in rows.items():
            spread = f"{row['rate']:.1f} ({row['slowest']:.1f} to {row['fastest']:.1f})"
            print(f"| {way} | {spread} | {'' if way == ours else format(row['ratio'], '.2f')} |")
    sys.stdout.flush()
    RESULTS.mkdir(exist_ok=True)
    document = {"machine": about, "unit": f"{unit}/s", "tables": tables}
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")


def machine() -> dict[str, Any]:
    """Describe where this runs."""
    packages = ("tensorflow", "keras", "onnxruntime", "openvino", "scikit-learn", "numpy")
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": [f"{name} {version(name)}" for name in packages],
    }


def processor() -> str:
    """Return the processor's name where Linux tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
