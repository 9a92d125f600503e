"""Photographs over HTTP on loopback against ``predict`` on files, in turns, in one run.

Run from the project's root: ``python benchmarks/serving.py``. Eight clients send one photograph
a request and wait for its label. They are one process that shares the cores with the server:
what they cost is measured and printed. Start-up (imports, loading the network) is left out for
both. Then the same clients beside others that send too much, nonsense, or too slowly.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import unittest.mock
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from photographs import folders
from timing import RESULTS, machine

from headstart.classify.predict.model_source import source_of
from headstart.classify.predict.predict import predict
from headstart.classify.saved.load import load_model
from headstart.extract.engine.open_engine import MAKERS
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution
from serving_clients import (
    BAD,
    CLIENTS,
    UPLOAD_BYTES,
    Address,
    Photographs,
    cpu_seconds,
    load_for,
    request_of,
)

SLOW_SECONDS = 2.0


def main() -> None:
    """Measure, print two tables and write them to ``results/serving.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="Folder of photographs; default: monkeys10.")
    parser.add_argument("--seconds", type=float, default=60.0, help="Of load, each round.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", nargs=argparse.REMAINDER, default=[], help="Options of serve.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        os.environ["XDG_CACHE_HOME"] = str(scratch / "home")
        data = options.data or folders(scratch)[0]
        paths = [image.path for image in read_dataset(data).images]
        model = scratch / "model.headstart"
        headstart("fit", "head", data, "--cache", scratch, "--model", "logreg", "--out", model)
        run_predict = predicting(paths, model, scratch)
        photographs = [
            (request_of(path.read_bytes()), json.dumps(label).encode())
            for path, label in zip(paths, run_predict(), strict=True)
        ]
        tables = {
            "throughput": throughput(run_predict, photographs, model, scratch, options),
            "beside_others": beside_others(photographs, model, scratch, options.seconds / 2),
        }
    about = machine()
    show(about, data.name, len(paths), options.seconds, tables)
    RESULTS.mkdir(exist_ok=True)
    document = {"machine": about, "photographs": len(paths), "clients": CLIENTS, **tables}
    (RESULTS / "serving.json").write_text(json.dumps(document, indent=1) + "\n")


def throughput(
    run_predict: Callable[[], list[str]],
    photographs: Photographs,
    model: Path,
    scratch: Path,
    options: Any,
) -> dict[str, Any]:
    """Return what ``predict`` and the service do, a turn each a round."""
    rounds = []
    with serving(model, scratch, *options.serve) as (address, server):
        load_for(5.0, address, photographs, server)
        for _ in range(options.rounds):
            begin, used = time.perf_counter(), cpu_seconds(psutil.Process())
            run_predict()
            rate = len(photographs) / (time.perf_counter() - begin)
            used = cpu_seconds(psutil.Process()) - used
            served = load_for(options.seconds, address, photographs, server)
            rounds.append(
                {
                    "predict": rate,
                    "ratio": served["rate"] / rate,
                    "predict_cpu_ms": 1000 * used / len(photographs),
                    **served,
                }
            )
    return summary(rounds)


def beside_others(
    photographs: Photographs, model: Path, scratch: Path, seconds: float
) -> dict[str, Any]:
    """Return the good clients' figures alone and beside bad ones, and what those were told."""
    limits = ("--max-bytes", str(UPLOAD_BYTES), "--timeout", str(SLOW_SECONDS))
    answers: dict[str, Counter[str]] = {name: Counter() for name in BAD}
    with serving(model, scratch, *limits) as (address, server):
        load_for(3.0, address, photographs, server)
        alone = load_for(seconds, address, photographs, server)
        beside = load_for(seconds, address, photographs, server, answers)
    return {
        "alone": alone,
        "beside": beside,
        "told": {name: dict(counts) for name, counts in answers.items()},
    }


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each figure over the rounds, the sum of what is counted."""
    counted = ("requests", "errors")
    return {
        name: (sum if name in counted else statistics.median)(figures[name] for figures in rounds)
        for name in rounds[0]
    } | {"ratios": [round(figures["ratio"], 3) for figures in rounds]}


def predicting(paths: list[Path], model: Path, scratch: Path) -> Callable[[], list[str]]:
    """Return the whole of ``predict`` but its start-up, into a fresh cache each time: its labels."""
    classifier = load_model(model)
    engine = source_of(classifier, Execution(cache=scratch)).engine()
    ready = dict.fromkeys(MAKERS, lambda wanted: engine)

    def run() -> list[str]:
        with tempfile.TemporaryDirectory(dir=scratch) as cache:
            fresh = Execution(cache=Path(cache))
            with unittest.mock.patch.dict(MAKERS, ready):
                predictions, failures = predict(classifier, paths, fresh)
            assert len(predictions) == len(paths), failures
            return [prediction.top[0][0] for prediction in predictions]

    return run


def headstart(*arguments: object) -> None:
    """Run a command."""
    command = [sys.executable, "-m", "headstart", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def serving(model: Path, cache: Path, *options: str) -> Iterator[tuple[Address, psutil.Process]]:
    """Yield the address and the process of a service."""
    command = [sys.executable, "-m", "headstart", "serve", str(model), "--port", "0", "--quiet"]
    process = subprocess.Popen(
        [*command, "--cache", str(cache), *options], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        host, _, port = (
            process.stdout.readline().strip("/ \n").removeprefix("http://").partition(":")
        )
        yield (host, int(port)), psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def show(
    about: dict[str, Any], name: str, count: int, seconds: float, tables: dict[str, Any]
) -> None:
    """Print what was measured, in Markdown."""
    print(f"{about['processor']}, {about['cores']} cores; " + ", ".join(about["versions"]))
    row = tables["throughput"]
    print(f"\n{CLIENTS} clients, {len(row['ratios'])} rounds of {seconds:g} s, {name}, {count:,}")
    print(
        "\n| | photographs/s | 50 % within | 99 % within | errors | CPU a photograph: server, clients |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    print(f"| predict | {row['predict']:.1f} | | | | {row['predict_cpu_ms']:.1f} ms |")
    for title, figures in (
        ("serve", row),
        ("serve, --timeout 2", tables["beside_others"]["alone"]),
        ("the same beside bad clients", tables["beside_others"]["beside"]),
    ):
        print(
            f"| {title} | {figures['rate']:.1f} | {figures['p50_ms']:.0f} ms | "
            f"{figures['p99_ms']:.0f} ms | {figures['errors']} of {figures['requests']:,} | "
            f"{figures['server_cpu_ms']:.1f} ms, {figures['client_cpu_ms']:.1f} ms |"
        )
    print(f"\nserve / predict: {row['ratio']:.2f} (rounds: {row['ratios']})")
    print("\n| bad clients send | answers by status |\n| --- | --- |")
    for bad, counts in tables["beside_others"]["told"].items():
        print(f"| {bad} | " + ", ".join(f"{n} × {status}" for status, n in counts.items()) + " |")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
