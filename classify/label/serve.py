"""The page on a socket, while it is wanted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ..serve import need_packages
from .session import Session


@contextlib.contextmanager
def serving(session: Session, address: tuple[str, int], model: Path) -> Iterator[tuple[str, bool]]:
    """Serve the page that photographs are labelled on, in a thread of its own.

    Parameters
    ----------
    session : Session
        The labelling.
    address : tuple of str and int
        Host and port; port 0 takes a free one.
    model : Path
        Where the page's button saves a classifier.

    Yields
    ------
    url : str
        Of the page, once requests are taken.
    loopback : bool
        Whether this machine alone can reach it.

    Raises
    ------
    HeadstartError
        If the address cannot be had.
    OptionError
        If the extra is not installed.
    """
    need_packages("label")
    from ..serve.server import listen, running, url_of
    from .app import make_app

    with listen(*address) as bound:
        url, loopback = url_of(bound)
        port = bound.getsockname()[1]
        hosts = [f"{host}:{port}" for host in ("127.0.0.1", "localhost", "[::1]")]
        with running(make_app(session, model, hosts if loopback else ()), bound):
            yield url, loopback
