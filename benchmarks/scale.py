"""A hundred million images on one scheduler: measured costs, then a simulation.

Measures what an image costs a worker, what a task costs each scheduler (tasks that do nothing,
through the workers that extraction uses), what listing and the cache's segments cost, and
simulates runs from these. Everything at once takes about a minute on an idle machine:

    python benchmarks/scale.py ../shared/data/monkeys10
"""

from __future__ import annotations

import argparse
import functools
import json
import logging
import os
import pickle
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import simpy
from timing import RESULTS, machine

from headstart.extract.cluster.coordinate import Layout, open_workers
from headstart.extract.cluster.tasks import LARGEST
from headstart.extract.cluster.worker import ShardResult
from headstart.extract.images.dataset import read_dataset
from headstart.extract.pipeline import SEGMENT_ROWS
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source
from headstart.extract.speed.stage_timer import measure_costs

IMAGES = 100_000_000
WORKERS = (10, 100, 1000)
SPREAD = 0.1  # assumed: standard deviation of the logarithm of a shard's time
STRAGGLERS = (0.01, 3.0)  # assumed: share of the shards, and how many times as long they take
PATH = "/data/photographs/train/class-{:04d}/{:09d}.jpg"
SMALL, LARGE = 400, 40  # tasks that are timed: of one reference, of a shard of 4,096
SIMULATED_TASKS = 200_000  # of more, this many; the rate has long been steady


def main() -> None:
    """Measure, simulate, print Markdown and write ``results/scale.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    stages = measure_stages(data)
    shared = measure_shared()
    backends = {name: measure_tasks(name) for name in ("dask", "ray")}
    check = check_model(backends["dask"])
    rows = [
        simulate(backend, count, size, stages, cost)
        for backend, cost in backends.items()
        for size in (LARGEST, 1)
        for count in WORKERS
    ]
    document = {
        "machine": machine(),
        "load_average": os.getloadavg()[0],  # others' work slows what is measured
        "images": IMAGES,
        "assumed": {"spread": SPREAD, "stragglers": STRAGGLERS},
        "stages": stages,
        "coordinator": shared,
        "tasks": backends,
        "model_against_dask": check,
        "runs": rows,
    }
    (RESULTS / "scale.json").write_text(json.dumps(document, indent=1) + "\n")
    show(document)


def measure_stages(data: Path) -> dict[str, Any]:
    """Return what an image costs, and how quickly the dataset was listed."""
    begin = time.perf_counter()
    paths = [image.path for image in read_dataset(data).images]
    listing = time.perf_counter() - begin
    costs = measure_costs(paths, feature_source(), 256)
    return {
        **asdict(costs),
        "seconds_an_image": costs.seconds_an_image,
        "listed_per_second": len(paths) / listing,
    }


def measure_shared() -> dict[str, float]:
    """Return what a hundred million images ask of the coordinator's and a worker's memory and time."""
    segments = 40
    random = np.random.default_rng(0)
    features = np.zeros((SEGMENT_ROWS, 1024), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        source = feature_source(execution=Execution(cache=Path(folder)))
        store = source.store()
        for _ in range(segments):
            store.append([random.bytes(32) for _ in range(SEGMENT_ROWS)], features)
        tracemalloc.start()
        begin = time.perf_counter()
        held = source.store()
        opening = (time.perf_counter() - begin) / segments
        memory = tracemalloc.get_traced_memory()[0] / len(held)
        tracemalloc.stop()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(10_000):
            Path(folder, f"{number:032x}.h5").touch()
        begin = time.perf_counter()
        os.listdir(folder)
        listing = (time.perf_counter() - begin) / 10_000
    paths = references(LARGEST)
    result = ShardResult([random.bytes(32) for _ in paths], {}, "onnxruntime", "cpu", [])
    rows_per_second, memory_of_images = measure_manifest(20_000)
    return {
        "seconds_to_open_a_segment": opening,
        "seconds_to_list_a_segment": listing,
        "bytes_a_cached_image": memory,
        "bytes_a_listed_image": memory_of_images,
        "manifest_rows_per_second": rows_per_second,
        "bytes_a_reference": len(pickle.dumps(paths)) / LARGEST,
        "bytes_a_result": len(pickle.dumps(result)) / LARGEST,
    }


def measure_manifest(rows: int) -> tuple[float, float]:
    """Return the rows a second of a manifest, and the bytes that an image of it keeps."""
    with tempfile.TemporaryDirectory() as folder:
        names = [f"{number % 20}/photograph-{number:09d}.jpg" for number in range(rows)]
        for number in range(20):
            Path(folder, str(number)).mkdir()
        for name in names:
            Path(folder, name).touch()
        lines = "\n".join(f"{name},{name.partition('/')[0]}" for name in names)
        file = Path(folder, "manifest.csv")
        file.write_text(f"path,label\n{lines}\n")
        begin = time.perf_counter()
        read_dataset(file)
        seconds = time.perf_counter() - begin
        tracemalloc.start()
        dataset = read_dataset(file)
        memory = tracemalloc.get_traced_memory()[0] / len(dataset.images)
        tracemalloc.stop()
    return rows / seconds, memory


def references(count: int) -> list[Path]:
    """Return paths as long as real ones."""
    return [Path(PATH.format(number % 1000, number)) for number in range(count)]


def measure_tasks(backend: str) -> dict[str, float]:
    """Return seconds a task that does nothing, for one reference and for a shard; and the start."""
    begin = time.perf_counter()
    with open_workers(backend, Layout(2, 1), None) as workers:
        in_flight(workers, do_nothing, [[]] * 8)
        startup = time.perf_counter() - begin
        single = in_flight(workers, do_nothing, [references(1)] * SMALL)
        shard = in_flight(workers, do_nothing, [references(LARGEST)] * LARGE)
    return {"seconds_a_task": single, "seconds_a_shard": shard, "startup_seconds": startup}


def do_nothing(images: list[Path]) -> int:
    """Take references; return at once."""
    return len(images)


def in_flight(workers: Any, work: Callable[..., Any], loads: list[Any]) -> float:
    """Have all tasks under way at once; return seconds a task."""
    begin = time.perf_counter()
    for load in loads:
        workers.submit(None, functools.partial(work, load))
    left = len(loads)
    while left:
        left -= workers.wait_for_one(1.0) is not None
    return (time.perf_counter() - begin) / len(loads)


def check_model(cost: dict[str, float], count: int = 100, shards: int = 500) -> dict[str, float]:
    """Run sleeping tasks on Dask's real scheduler with a hundred workers; compare the simulation.

    All are in this process, which makes the real one slower than a cluster would be.
    """
    import distributed

    seconds = 1.0
    cluster = distributed.LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        processes=False,
        memory_limit=None,  # of a share of this one process each would stop
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    )
    with cluster, distributed.Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(count)
        client.gather([client.submit(time.sleep, 0.0, pure=False) for _ in range(count)])
        begin = time.perf_counter()
        done = distributed.as_completed(
            [client.submit(time.sleep, seconds, pure=False) for _ in range(count)],
            loop=client.loop,
        )
        left = shards - count
        for _ in done:
            if left:
                left -= 1
                done.add(client.submit(time.sleep, seconds, pure=False))
        real = time.perf_counter() - begin
    model = run_model(count, shards, lambda _: seconds, cost["seconds_a_task"])[0]
    return {
        "workers": count,
        "tasks": shards,
        "seconds_each": seconds,
        "real_seconds": real,
        "simulated_seconds": model,
        "ideal_seconds": shards / count * seconds,
    }


def run_model(
    count: int, tasks: int, duration: Callable[[int], float], overhead: float
) -> tuple[float, float]:
    """Simulate workers that ask one scheduler for task after task.

    The scheduler serves one request at a time, for ``overhead`` seconds.

    Returns
    -------
    seconds : float
        Until the last task is done.
    busy : float
        Share of them that the scheduler worked.
    """
    world = simpy.Environment()
    scheduler = simpy.Resource(world)
    ahead = iter(range(tasks))

    def worker() -> Any:
        for number in ahead:
            with scheduler.request() as turn:
                yield turn
                yield world.timeout(overhead)
            yield world.timeout(duration(number))

    for _ in range(count):
        world.process(worker())
    world.run()
    return world.now, tasks * overhead / world.now


def simulate(
    backend: str, count: int, size: int, stages: dict[str, Any], cost: dict[str, float]
) -> dict[str, Any]:
    """Simulate the whole; of very many tasks a part, whose rate holds for all."""
    tasks = -(-IMAGES // size)
    simulated = min(tasks, SIMULATED_TASKS)
    random = np.random.default_rng(0)
    share, times = STRAGGLERS
    slow = np.where(random.random(simulated) < share, times, 1.0)
    factors = slow * random.lognormal(0.0, SPREAD, simulated)
    each = size * stages["seconds_an_image"]
    overhead = cost["seconds_a_shard" if size > 1 else "seconds_a_task"]
    times_each = (each * factors).tolist()
    seconds, busy = run_model(count, simulated, times_each.__getitem__, overhead)
    whole = seconds * tasks / simulated
    ideal = IMAGES * stages["seconds_an_image"] * float(factors.mean()) / count
    return {
        "backend": backend,
        "workers": count,
        "images_a_task": size,
        "tasks": tasks,
        "hours": round(whole / 3600, 3),
        "images_per_second": round(IMAGES / whole, 1),
        "workers_busy": round(ideal / whole, 4),
        "scheduler_busy": round(busy, 4),
        "tasks_per_second_at_most": round(1 / overhead, 1),
    }


def show(document: dict[str, Any]) -> None:
    """Print the tables of ``docs/scale.md``."""
    print(
        "| backend | images a task | workers | hours | images/s | workers busy | scheduler busy |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in document["runs"]:
        print(
            f"| {row['backend']} | {row['images_a_task']:,} | {row['workers']:,} | "
            f"{row['hours']:,.1f} | {row['images_per_second']:,.0f} | {row['workers_busy']:.0%} | "
            f"{row['scheduler_busy']:.1%} |"
        )
    rest = {key: document[key] for key in ("stages", "coordinator", "tasks", "model_against_dask")}
    print(json.dumps(rest, indent=1))


if __name__ == "__main__":
    main()
