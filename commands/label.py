"""``headstart label``."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import FEATURES, Columns, Data, Json, MaxFailures, Quiet, Seed, takes

if TYPE_CHECKING:
    from ..api.options import FeatureOptions


@takes(FEATURES)
def label_data(
    data: Data,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The manifest that labels go into, a row each.")
    ] = Path("labels.csv"),
    model: Annotated[
        Path, typer.Option(metavar="FILE", help="Where the page's button saves a classifier.")
    ] = Path("labels.headstart"),
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="Take no label from DATA: its folders say nothing.")
    ] = False,
    host: Annotated[
        str, typer.Option(help="Address to listen on; by default this machine alone reaches it.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8001,
    simulate: Annotated[
        bool,
        typer.Option(
            "--simulate",
            help="Open no page: give the labels of DATA in the page's order and in random order, and "
            "say how accuracy grows.",
        ),
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each order that is simulated.")] = 5,
    labels: Annotated[int, typer.Option(min=10, help="Labels that are simulated.")] = 300,
    goal: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Accuracy: how many simulated labels reach it?"),
    ] = None,
    *,
    options: "FeatureOptions",
    max_failures: MaxFailures = None,
    seed: Seed = 0,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Label photographs on a page of this machine, the most telling ones first.

    The first line on standard output is the page's address. Labels are on the disk at once, in a
    manifest that 'fit head' takes; the same command goes on where it was.

    Example: headstart label photographs/ --out labels.csv
    """
    from ..console import say, stages, warn_all
    from ..progress import note
    from .asking import give

    with stages(quiet=quiet):
        if simulate:
            from ..api.simulate import simulate as run

            found = run(
                data,
                seeds=seeds,
                labels=labels,
                goal=goal,
                columns=columns,
                max_failures=max_failures,
                **options,
            )
        else:
            from ..api.label import label

            with label(
                data,
                out,
                model=model,
                unlabelled=unlabelled,
                host=host,
                port=port,
                seed=seed,
                columns=columns,
                max_failures=max_failures,
                **options,
            ) as page:
                say(page.url)
                warn_all(page.warnings, quiet=quiet)
                note(f"labels go into {out}; Ctrl-C ends it, the same command goes on from there")
                threading.Event().wait()  # until a signal
    give(found, as_json=as_json, quiet=quiet)
