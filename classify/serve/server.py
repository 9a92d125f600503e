"""The service on a socket, until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import math
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from ...errors import HeadstartError
from ...stopping import SIGNALS, Stopped
from .limits import Limits
from .middleware import closing

CONNECTIONS = 1000  # open at once, the idle ones included; more get 503
KEEP_ALIVE_SECONDS = 15
DRAIN_SECONDS = 1.0  # for an open connection to ask once more before it closes
TICKS = 5  # of uvicorn's tenths of a second, between two looks for idle connections


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address, before anything slow begins; port 0 takes a free one.

    Raises
    ------
    HeadstartError
        If the address cannot be had; the message says why.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise HeadstartError(
            f"cannot listen on {host}, port {port}: {error.strerror}; --port 0 takes a free port"
        ) from error
    return bound


def url_of(bound: socket.socket) -> tuple[str, bool]:
    """Return the URL of a bound socket, and whether this machine alone can reach it.

    Examples
    --------
    >>> with listen("127.0.0.1", 0) as bound:
    ...     url_of(bound) == (f"http://127.0.0.1:{bound.getsockname()[1]}/", True)
    True
    """
    host, port = bound.getsockname()[:2]
    address = f"[{host}]" if ":" in host else host
    return f"http://{address}:{port}/", ipaddress.ip_address(host).is_loopback


def run(
    app: ASGIApp,
    bound: socket.socket,
    limits: Limits,
    ready: Callable[[], None],
    stopping: Callable[[], None],
) -> None:
    """Serve until a signal: requests in flight are finished, new ones refused.

    Parameters
    ----------
    app : ASGI application
        From :func:`headstart.classify.serve.app.make_app`.
    bound : socket
        From :func:`listen`; closed in the end.
    limits : Limits
        How long requests in flight may take.
    ready, stopping : callable
        Told that requests are taken, and that no more are.

    Raises
    ------
    Stopped
        With the signal, once all is done; a second signal does not wait.
    """
    _make(app, limits, ready, stopping).run(sockets=[bound])


@contextlib.contextmanager
def running(app: ASGIApp, bound: socket.socket) -> Iterator[None]:
    """Serve in a thread of its own while the block runs; requests in flight are finished."""
    ready = threading.Event()
    server = _make(app, Limits(), ready.set, lambda: None)
    thread = threading.Thread(target=server.run, args=([bound],), name="serve", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def _make(
    app: ASGIApp, limits: Limits, ready: Callable[[], None], stopping: Callable[[], None]
) -> _Server:
    server: _Server
    config = uvicorn.Config(
        closing(app, lambda: server.should_exit),
        log_config=None,
        log_level="error",  # what clients do wrong, they are told
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(2 * limits.seconds),  # to arrive, and to be labelled
    )
    server = _Server(config, limits.seconds, ready, stopping)
    return server


class _Server(uvicorn.Server):
    """uvicorn with headstart's signals, and without patience for connections that never ask.

    SIGHUP counts as a signal, too, and what whoever started us wants ignored stays ignored.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        patience: float,
        ready: Callable[[], None],
        stopping: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._patience = patience
        self._ready = ready
        self._stopping = stopping
        self._signal: int | None = None
        self._idle_since: dict[tuple[Any, Any], float] = {}  # connection and its last request
        self._late: list[asyncio.Task[Any]] = []  # let in as the port closed

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, and let each connection that is open hear so with its next answer."""
        for listening in sockets or []:
            self._take_in(listening)
        for server in self.servers:
            server.close()
        end = time.monotonic() + DRAIN_SECONDS
        # uvicorn has no event for it.
        while self.server_state.connections and not self.force_exit and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await super().shutdown()

    def _take_in(self, listening: socket.socket) -> None:
        """Accept who has been let in by the system: closing the port would reset them."""
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.Protocol:
            made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
                config=self.config,
                server_state=self.server_state,
                app_state=self.lifespan.state,
                _loop=loop,
            )
            return made

        with contextlib.suppress(OSError):  # nobody waits any more
            while True:
                connection, _ = listening.accept()
                connection.setblocking(False)
                self._late.append(
                    loop.create_task(loop.connect_accepted_socket(protocol, connection))
                )

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS == 0:
            self._close_idle(time.monotonic())
        return await super().on_tick(counter)

    def _close_idle(self, now: float) -> None:
        """Close connections whose next request has not come, or not whole, for too long.

        uvicorn closes those that say nothing after an answer; not those that have never asked,
        or dribble their headers.
        """
        requests = [
            (connection, getattr(connection, "cycle", None))
            for connection in self.server_state.connections
        ]
        self._idle_since = {
            (connection, last): self._idle_since.get((connection, last), now)
            for connection, last in requests
            if last is None or last.response_complete
        }
        for (connection, _), since in self._idle_since.items():
            if now - since > self._patience:
                connection.transport.close()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # signals reach the main thread, which says when this one ends
            return
        heeded = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, self.handle_exit) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._signal is not None:
            cut_off = len(self.server_state.tasks)
            raise Stopped(
                self._signal,
                f"stopped: requests in flight were cut off: {cut_off}"
                if cut_off
                else "stopped: every request in flight was answered",
            )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        del frame
        self.force_exit = self.should_exit
        self.should_exit = True
        if self._signal is None:
            self._signal = sig
            with contextlib.suppress(OSError):  # nobody listens any more
                self._stopping()
