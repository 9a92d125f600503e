"""``headstart serve``."""

from typing import TYPE_CHECKING, Annotated

import typer

from .options import MACHINE, Model, Quiet, TrustJoblib, takes

if TYPE_CHECKING:
    from ..api.options import ModelOptions


@takes(MACHINE)
def serve_model(
    model: Model,
    host: Annotated[
        str, typer.Option(help="Address to listen on; by default this machine alone reaches it.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8000,
    top: Annotated[int, typer.Option(min=1, help="Classes to name a photograph.")] = 3,
    abstain: Annotated[
        float | None,
        typer.Option(
            metavar="COVERAGE",
            help="Share of photographs to label, over 0 and up to 1: the most unusual others get "
            "no label. Default: all are labelled.",
        ),
    ] = None,
    max_bytes: Annotated[
        int, typer.Option(min=1, help="Bytes of one upload; larger ones get status 413.")
    ] = 32_000_000,
    max_files: Annotated[int, typer.Option(min=1, help="Files in one upload; more get 413.")] = 32,
    timeout: Annotated[
        float,
        typer.Option(
            min=0.001, help="Seconds for an upload to arrive (408), then to be labelled (503)."
        ),
    ] = 30.0,
    concurrency: Annotated[
        int, typer.Option(min=1, help="Requests that wait for labels at once; one more gets 503.")
    ] = 64,
    *,
    trust_joblib: TrustJoblib = False,
    options: "ModelOptions",
    quiet: Quiet = False,
) -> None:
    """Label photographs over HTTP, and on a plain page, until a signal ends it.

    The first line on standard output is the address, once requests are taken. POST /predict
    takes the files of a form, GET /docs describes the rest.

    Example: headstart serve photographs.headstart --port 8000
    """
    from ..api.options import execution_of
    from ..classify.saved.load import load_model
    from ..classify.serve import serve
    from ..classify.serve.limits import Limits
    from ..console import say, stages, warn
    from ..progress import note

    limits = Limits(max_bytes, max_files, timeout, concurrency)
    with stages(quiet=quiet):

        def ready(address: str, loopback: bool) -> None:
            say(address)
            note("Ctrl-C or SIGTERM ends it, once requests in flight are answered")
            if not loopback and not quiet:
                warn(f"other machines can reach {host}, and there is no authentication")

        classifier = load_model(model, weights=options.get("weights"), trust_joblib=trust_joblib)
        serve(
            classifier,
            execution_of(options),
            (host, port),
            limits,
            top=top,
            abstain=abstain,
            ready=ready,
            stopping=lambda: warn(
                "answering the requests in flight; a second signal cuts them off"
            ),
        )
