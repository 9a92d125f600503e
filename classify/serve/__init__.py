"""A trained classifier as a small HTTP service."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

from ...errors import OptionError
from ...extract.recipe import Execution
from ...progress import note
from ..predict.in_memory import Labeller
from ..saved.load import SavedModel
from .limits import Limits

PACKAGES = ("fastapi", "prometheus_client", "python_multipart", "uvicorn")


def need_packages(command: str) -> None:
    """See that what a page on loopback takes is installed.

    Raises
    ------
    OptionError
        If it is not; the message names the pip command.
    """
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        raise OptionError(
            f"{command} needs {', '.join(missing)}, not installed: pip install 'headstart[serve]'"
        )


def serve(
    model: SavedModel,
    execution: Execution,
    address: tuple[str, int],
    limits: Limits,
    *,
    top: int,
    abstain: float | None,
    ready: Callable[[str, bool], None],
    stopping: Callable[[], None],
) -> None:
    """Label photographs over HTTP until a signal ends it.

    Parameters
    ----------
    model : Model or TunedModel
        From :func:`headstart.classify.saved.load.load_model`.
    execution : Execution
        How to run; what is extracted is the model's.
    address : tuple of str and int
        Host and port; port 0 takes a free one.
    limits : Limits
        What is refused.
    top : int
        Classes to name a photograph, unless the request says how many.
    abstain : float, optional
        Share of photographs to label, over 0 and up to 1. None labels all.
    ready : callable
        Told, once requests are taken, the URL and whether this machine alone can reach it.
    stopping : callable
        Told that no more are taken.

    Raises
    ------
    HeadstartError
        If the address cannot be had or the model not be opened.
    OptionError
        If the extra is not installed.
    Stopped
        With the signal.
    """
    need_packages("serve")
    from .app import make_app
    from .server import listen, run, url_of

    with listen(*address) as bound:
        labeller = Labeller(model, execution, abstain)
        for line in labeller.notes:
            note(line)
        app = make_app(labeller, limits, top)
        run(app, bound, limits, lambda: ready(*url_of(bound)), stopping)
