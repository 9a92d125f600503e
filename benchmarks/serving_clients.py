"""Clients of the service on loopback: eight good ones, and those that send what they should not."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import numpy as np
import psutil

CLIENTS = 8
SLOW_CLIENTS = 16
BOUNDARY = b"headstart-benchmark"
UPLOAD_BYTES = 2_000_000  # the server's limit beside which oversized uploads are sent

Address = tuple[str, int]
Answer = tuple[int, bytes]  # status, body
Photographs = list[tuple[bytes, bytes]]  # a request, and the label to answer


def load_for(
    seconds: float,
    address: Address,
    photographs: Photographs,
    server: psutil.Process,
    answers: dict[str, Counter[str]] | None = None,
) -> dict[str, Any]:
    """Let eight clients send photographs; return rate, latencies, errors and the CPU used.

    Any answer but the label that ``predict`` gives is an error.
    """
    requests = itertools.cycle(photographs)
    mine, its = cpu_seconds(psutil.Process()), cpu_seconds(server)
    begin = time.perf_counter()
    times, errors = asyncio.run(_load(begin + seconds, address, requests, answers))
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
    answers: dict[str, Counter[str]] | None,
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

    bad = [
        asyncio.create_task(_repeat(BAD[name], address, answers[name], end))
        for name in answers or ()
    ]
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
    answers: Counter[str],
    end: float,
) -> None:
    while time.perf_counter() < end:
        answers.update(map(str, await bad(address)))


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

    async def upload() -> int:
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

    return list(await asyncio.gather(*(upload() for _ in range(SLOW_CLIENTS))))


BAD: dict[str, Callable[[Address], Coroutine[Any, Any, list[int]]]] = {
    "too large, as its head says": oversized,
    "too large, in chunks": oversized_chunked,
    "malformed": malformed,
    "no image": no_image,
    f"slow, {SLOW_CLIENTS} at once": slow,
}
