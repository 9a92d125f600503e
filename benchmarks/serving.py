"""Photographs over HTTP on loopback against ``predict`` on files, in turns, in one run.

Run from the project's root: ``python benchmarks/serving.py``. Eight clients send one photograph
a request and wait for its label. They are one process that shares the cores with the server:
what they cost is measured and printed. Start-up (imports, loading the network) is left out for
both. Then the same clients beside others that send too much, nonsense, or too slowly.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from photographs import folders
from timing import RESULTS, machine

from headstart.classify.predict.predict import predict, source_of
from headstart.classify.saved.load import load_model
from headstart.extract.images.dataset import read_dataset
from headstart.extract.source import FeatureOptions

CLIENTS = 8
SLOW_CLIENTS = 16
BOUNDARY = b"headstart-benchmark"
UPLOAD_BYTES = 2_000_000  # the server's limit beside which oversized uploads are sent
SLOW_SECONDS = 2.0

Address = tuple[str, int]
Answer = tuple[int, bytes]  # status, body
Photographs = list[tuple[bytes, bytes]]  # a request, and the label to answer


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
    told: dict[str, Counter[str]] = {name: Counter() for name in BAD}
    with serving(model, scratch, *limits) as (address, server):
        load_for(3.0, address, photographs, server)
        alone = load_for(seconds, address, photographs, server)
        beside = load_for(seconds, address, photographs, server, told)
    return {"alone": alone, "beside": beside, "told": {name: dict(c) for name, c in told.items()}}


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each figure over the rounds, the sum of what is counted."""
    counted = ("requests", "errors")
    return {
        name: (sum if name in counted else statistics.median)(one[name] for one in rounds)
        for name in rounds[0]
    } | {"ratios": [round(one["ratio"], 3) for one in rounds]}


def predicting(paths: list[Path], model: Path, scratch: Path) -> Callable[[], list[str]]:
    """Return the whole of ``predict`` but its start-up, into a fresh cache each time: its labels."""
    classifier = load_model(model)
    source = source_of(classifier, FeatureOptions(cache=scratch))
    engine = source.options.make_engine(source)

    def run() -> list[str]:
        with tempfile.TemporaryDirectory(dir=scratch) as cache:
            fresh = FeatureOptions(cache=Path(cache), make_engine=lambda source: engine)
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


def load_for(
    seconds: float,
    address: Address,
    photographs: Photographs,
    server: psutil.Process,
    told: dict[str, Counter[str]] | None = None,
) -> dict[str, Any]:
    """Let eight clients send photographs; return rate, latencies, errors and the CPU used.

    Any answer but the label that ``predict`` gives is an error.
    """
    requests = itertools.cycle(photographs)
    mine, its = cpu_seconds(psutil.Process()), cpu_seconds(server)
    begin = time.perf_counter()
    times, errors = asyncio.run(_load(begin + seconds, address, requests, told))
    wall = time.perf_counter() - begin
    p50, p99 = np.percentile(times, (50, 99))
    return {
        "rate": len(times) / wall,
        "requests": len(times) + errors,
        "errors": errors,
        "p50_ms": 1000 * float(p50),
        "p99_ms": 1000 * float(p99),
        "slowest_ms": 1000 * max(times),
        "client_cpu_ms": 1000 * (cpu_seconds(psutil.Process()) - mine) / len(times),
        "server_cpu_ms": 1000 * (cpu_seconds(server) - its) / len(times),
    }


def cpu_seconds(process: psutil.Process) -> float:
    """Return what a process has used of the cores."""
    used = process.cpu_times()
    return float(used.user + used.system)


async def _load(
    end: float,
    address: Address,
    requests: Iterator[tuple[bytes, bytes]],
    told: dict[str, Counter[str]] | None,
) -> tuple[list[float], int]:
    times: list[float] = []
    errors = 0

    async def client() -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection(*address)
        while time.perf_counter() < end:
            request, label = next(requests)
            begin = time.perf_counter()
            writer.write(request)
            status, answer = await read_answer(reader)
            first = answer.partition(b'"label":')[2]
            if status == 200 and first.startswith(label):
                times.append(time.perf_counter() - begin)
            else:
                errors += 1
        writer.close()

    bad = [asyncio.create_task(_repeat(BAD[name], address, told[name], end)) for name in told or ()]
    await asyncio.gather(*(client() for _ in range(CLIENTS)), *bad)
    return times, errors


def request_of(photograph: bytes, name: bytes = b"photograph.jpg") -> bytes:
    """Return a whole request with one file."""
    body = form(photograph, name)
    return head(b"Content-Length: %d" % len(body)) + body


def head(*lines: bytes) -> bytes:
    """Return a request's head."""
    kind = b"Content-Type: multipart/form-data; boundary=" + BOUNDARY
    return b"\r\n".join((b"POST /predict HTTP/1.1", b"Host: localhost", kind, *lines, b"", b""))


def form(photograph: bytes, name: bytes = b"photograph.jpg") -> bytes:
    """Return a form with one file."""
    about = b'Content-Disposition: form-data; name="files"; filename="%s"' % name
    return b"--%s\r\n%s\r\n\r\n%s\r\n--%s--\r\n" % (BOUNDARY, about, photograph, BOUNDARY)


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """Return an answer's status and body."""
    lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    length = next(line for line in lines if line.startswith(b"content-length:"))
    return int(lines[0].split()[1]), await reader.readexactly(int(length.partition(b":")[2]))


async def _repeat(
    bad: Callable[[Address], Coroutine[Any, Any, list[int]]],
    address: Address,
    told: Counter[str],
    end: float,
) -> None:
    while time.perf_counter() < end:
        told.update(map(str, await bad(address)))


async def _send(address: Address, *chunks: bytes) -> list[int]:
    reader, writer = await asyncio.open_connection(*address)
    for chunk in chunks:
        writer.write(chunk)
        await writer.drain()
    status, _ = await read_answer(reader)
    writer.close()
    await asyncio.sleep(0.1)  # some ten a second of each kind: this is no flood
    return [status]


async def oversized(address: Address) -> list[int]:
    """Send twice the limit, which the head says."""
    return await _send(address, request_of(bytes(2 * UPLOAD_BYTES)))


async def oversized_chunked(address: Address) -> list[int]:
    """Send twice the limit in chunks, whose sum nobody is told."""
    body = form(bytes(2 * UPLOAD_BYTES))
    return await _send(address, head(b"Transfer-Encoding: chunked"), b"%x\r\n" % len(body), body)


async def malformed(address: Address) -> list[int]:
    """Send a form that has no end."""
    body = form(b"x" * 1000)[:-40]
    return await _send(address, head(b"Content-Length: %d" % len(body)), body)


async def no_image(address: Address) -> list[int]:
    """Send a file that is no image."""
    return await _send(address, request_of(b"this is no photograph"))


async def slow(address: Address) -> list[int]:
    """Send a photograph's bytes one by one, on many connections at once."""

    async def one() -> int:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(head(b"Content-Length: 100000"))
        answer = asyncio.create_task(read_answer(reader))
        for byte in form(bytes(100_000)):
            writer.write(bytes([byte]))
            done, _ = await asyncio.wait([answer], timeout=0.1)
            if done:
                break
        writer.close()
        return (await answer)[0]

    return list(await asyncio.gather(*(one() for _ in range(SLOW_CLIENTS))))


BAD: dict[str, Callable[[Address], Coroutine[Any, Any, list[int]]]] = {
    "too large, as its head says": oversized,
    "too large, in chunks": oversized_chunked,
    "malformed": malformed,
    "no image": no_image,
    f"slow, {SLOW_CLIENTS} at once": slow,
}


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
    for bad, told in tables["beside_others"]["told"].items():
        print(f"| {bad} | " + ", ".join(f"{n} × {status}" for status, n in told.items()) + " |")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
