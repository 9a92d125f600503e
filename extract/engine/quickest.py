"""Of engines that compute the same features, the quickest here: timed once, then remembered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ...errors import EngineError
from ...storage import replacing
from .engine import Engine, Images

ROUNDS = 3  # of each engine, in turns; its best counts
MARGIN = 1.1  # by how much another must be faster than the first, which starts sooner


def quickest(
    makers: Mapping[str, Callable[[], Engine]],
    batch: Images,
    workers: int,
    record: Path,
    machine: str,
) -> Engine:
    """Return the engine that runs a network fastest on this machine.

    Parameters
    ----------
    makers : mapping
        Name to what makes the engine; the first unless another is faster by 10 %.
    batch : ndarray, shape (n, height, width, 3), uint8
        Images of a call.
    workers : int
        Threads that call at once.
    record : Path
        Where speeds are remembered, as JSON; a folder that cannot be written remembers nothing.
    machine : str
        What they hold for: network, processor, versions.

    Raises
    ------
    EngineError
        If the first engine cannot run the network.
    """
    known = _read(record).get(machine, {})
    if known.keys() == makers.keys():
        return makers[_best(known)]()
    first, *others = makers
    engines = {first: makers[first]()}
    for name in others:
        try:
            engines[name] = makers[name]()
        except EngineError as error:
            engines[first].notes.append(f"{error}; {first} serves instead")
    speeds = dict.fromkeys(makers, 0.0) | _speeds(engines, batch, workers)
    _keep(record, machine, speeds)
    return engines[_best(speeds)]


def _best(speeds: Mapping[str, float]) -> str:
    first = next(iter(speeds))
    best = max(speeds, key=lambda name: speeds[name])
    return best if speeds[best] > MARGIN * speeds[first] else first


def _speeds(engines: Mapping[str, Engine], batch: Images, workers: int) -> dict[str, float]:
    """Return the images a second of each engine, all workers at once."""
    seconds = dict.fromkeys(engines, float("inf"))
    with ThreadPoolExecutor(workers) as pool:
        for number in range(1 + ROUNDS):
            for name, engine in engines.items():
                begin = time.perf_counter()
                list(pool.map(engine, [batch] * workers))
                if number:  # the first call of an engine is slower
                    seconds[name] = min(seconds[name], time.perf_counter() - begin)
    return {name: round(workers * len(batch) / each, 1) for name, each in seconds.items()}


def _read(record: Path) -> dict[str, dict[str, float]]:
    try:
        known: dict[str, dict[str, float]] = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not timed yet, or cut short
        return {}
    return known


def _keep(record: Path, machine: str, speeds: dict[str, float]) -> None:
    text = json.dumps({**_read(record), machine: speeds}, indent=1)
    try:
        with replacing(record) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError:
        return
