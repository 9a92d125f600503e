"""The page on a socket, until a signal ends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..serve import need_packages
from ..serve.limits import Limits
from .session import Session


def serve(
    session: Session,
    address: tuple[str, int],
    model: Path,
    ready: Callable[[str, bool], None],
    stopping: Callable[[], None],
) -> None:
    """Serve the page that photographs are labelled on, until a signal ends it.

    Parameters
    ----------
    session : Session
        The labelling.
    address : tuple of str and int
        Host and port; port 0 takes a free one.
    model : Path
        Where the page's button saves a classifier.
    ready : callable
        Told, once requests are taken, the URL and whether this machine alone can reach it.
    stopping : callable
        Told that no more are taken.

    Raises
    ------
    HeadstartError
        If the address cannot be had.
    OptionError
        If the extra is not installed.
    Stopped
        With the signal.
    """
    need_packages("label")
    from ..serve.server import listen, run, url_of
    from .app import make_app

    with listen(*address) as bound:
        url, loopback = url_of(bound)
        port = bound.getsockname()[1]
        hosts = [f"{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]")]
        app = make_app(session, model, hosts if loopback else ())
        run(app, bound, Limits(), lambda: ready(url, loopback), stopping)
