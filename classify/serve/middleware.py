"""What surrounds every request: headers, figures, and manners towards those who still send."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .limits import FullError, Limits, Room
from .metrics import Metrics

# A client that hears an answer only after it has sent all would see a broken connection instead
# of its answer; so what it still sends is read and thrown away, within these bounds.
LINGER_SECONDS = 5.0
LINGER_BYTES = 128 << 20

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


# A request, the first message of its answer, and the seconds until then.
Touch = Callable[[Scope, Message, float], None]


def at_answers(app: ASGIApp, touch: Touch) -> ASGIApp:
    """Return an application whose answers a function sees as they begin: it may add headers."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        begin = time.perf_counter()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                touch(scope, message, time.perf_counter() - begin)
            await send(message)

        await app(scope, receive, sending)

    return call


def secured(app: ASGIApp) -> ASGIApp:
    """Add the headers that a response does not set itself."""

    def touch(_: Scope, message: Message, __: float) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in HEADERS.items():
            headers.setdefault(name, value)

    return at_answers(app, touch)


def measured(app: ASGIApp, metrics: Metrics, paths: frozenset[str]) -> ASGIApp:
    """Count requests by path and status, and time them."""

    def touch(scope: Scope, message: Message, seconds: float) -> None:
        path = scope["path"] if scope["path"] in paths else "other"
        metrics.requests.labels(path, message["status"]).inc()
        metrics.seconds.labels(path).observe(seconds)

    return at_answers(app, touch)


def closing(app: ASGIApp, stopping: Callable[[], bool]) -> ASGIApp:
    """Say with each answer that the connection closes, once the service is stopping.

    A client that hears it opens another connection for its next request, and sees that nobody
    listens, instead of a connection that breaks under its request.
    """

    def touch(_: Scope, message: Message, __: float) -> None:
        if stopping():
            MutableHeaders(scope=message)["Connection"] = "close"

    return at_answers(app, touch)


def bounded(app: ASGIApp, limits: Limits) -> ASGIApp:
    """Hand on requests within limits, their bodies read whole; refuse the others and say why."""
    room = Room(limits.concurrency)

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        read: list[Message] = []

        async def receiving() -> Message:
            return read.pop(0) if read else await receive()

        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        with room.share() as take:
            try:
                take(1)
                answer = _refusal(dict(scope["headers"]), limits) or app
                async with asyncio.timeout(limits.seconds):
                    while answer is app and (not read or read[-1].get("more_body", False)):
                        read.append(await receive())
            except FullError:
                answer = _answer(503, "as many requests are under way as may: try again")
            except TimeoutError:
                answer = _answer(408, f"the body took more than {limits.seconds:g} seconds")
            await answer(scope, receiving, send)

    return call


def _refusal(headers: dict[bytes, bytes], limits: Limits) -> ASGIApp | None:
    if b"transfer-encoding" in headers:
        return _answer(411, "say how long the body is")
    if int(headers.get(b"content-length", b"0")) > limits.upload_bytes:
        return _answer(413, f"the body has more than {limits.upload_bytes:,} bytes")
    return None


def _answer(status: int, detail: str) -> ASGIApp:
    return JSONResponse({"detail": detail}, status)


def of_one_origin(app: ASGIApp, hosts: Collection[str]) -> ASGIApp:
    """Refuse requests that another page made a browser send: of a foreign origin or host name.

    A page elsewhere can post to a service on this machine, or have its own name resolve to it
    (DNS rebinding). It cannot choose the headers ``Origin`` and ``Host``.

    Parameters
    ----------
    app : ASGI application
        What is behind.
    hosts : collection of str
        Values of ``Host`` that are ours, with the port; any when empty.
    """

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope.get("headers", ())}
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        foreign = origin is not None and origin.partition("://")[2] != host
        answer = app
        if scope["type"] == "http" and (foreign or (hosts and host not in hosts)):
            answer = PlainTextResponse("requests of other pages are refused", 403)
        await answer(scope, receive, send)

    return call


def answering_head(app: ASGIApp) -> ASGIApp:
    """Answer HEAD as GET, without the body."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            await send({**message, "body": b""} if "body" in message else message)

        if scope["type"] == "http" and scope["method"] == "HEAD":
            await app({**scope, "method": "GET"}, receive, sending)
        else:
            await app(scope, receive, send)

    return call


def lingering(app: ASGIApp) -> ASGIApp:
    """Answer at once, then hear a client out before the connection closes.

    Where a request is answered before its body has been read, as when it is too large, the
    answer goes out whole, and then the rest is read and thrown away.
    """

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        names = {name for name, _ in scope.get("headers", ())}
        unread = bool(names & {b"content-length", b"transfer-encoding"})

        async def receiving() -> Message:
            nonlocal unread
            message = await receive()
            unread = message["type"] == "http.request" and message.get("more_body", False)
            return message

        async def hear_out() -> None:
            left = LINGER_BYTES
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_SECONDS):
                    while unread and left > 0:
                        left -= len((await receiving()).get("body", b""))

        async def sending(message: Message) -> None:
            if unread and message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Connection"] = "close"
            if unread and message["type"] == "http.response.body" and not message.get("more_body"):
                await send({**message, "more_body": True})
                await hear_out()
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await app(scope, receiving, sending)

    return call
