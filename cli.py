"""The command line: every command by its name, one exit for errors."""

import contextlib
import os
import sys
from typing import Annotated

import typer

from .commands import (
    cache,
    compare,
    demo,
    evaluate,
    explain,
    export,
    extract,
    fit,
    group,
    inspect,
    label,
    plan,
    predict,
    push,
    search,
    serve,
)
from .commands.configuration import configure
from .errors import HeadstartError
from .stopping import Stopped, signals_stop
from .streams import open_streams
from .version import __version__

app = typer.Typer(
    name="headstart",
    help="Turn a folder of photographs into a classifier by transfer learning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # half of the time of --help went into importing it
    context_settings={"max_content_width": 100, "auto_envvar_prefix": "HEADSTART"},
)
app.add_typer(extract.app, name="extract")
app.add_typer(fit.app, name="fit")
app.add_typer(compare.app, name="compare")
app.add_typer(cache.app, name="cache")
app.command("inspect")(inspect.inspect_data)
app.command("search")(search.search_data)
app.command("group")(group.group_data)
app.command("label")(label.label_data)
app.command("predict")(predict.predict_images)
app.command("evaluate")(evaluate.evaluate_data)
app.command("explain")(explain.explain_images)
app.command("serve")(serve.serve_model)
app.command("export")(export.export_classifier)
app.command("push")(push.push_model)
app.command("plan")(plan.plan_extraction)
app.command("demo")(demo.demo)
configure(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"headstart {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        # Asked for before a command is missed.
        typer.Option(
            "--version",
            help="Print the version.",
            is_eager=True,
            callback=_print_version,
            allow_from_autoenv=False,  # HEADSTART_VERSION may be anybody's
        ),
    ] = False,
) -> None:
    """Turn a folder of photographs into a classifier by transfer learning."""
    del version  # its callback has printed it


def main() -> None:
    """Run the command line; expected errors become one line and exit status 1, unmet gates 3.

    A signal ends it with 128 and the signal's number: 130 for SIGINT, 143 for SIGTERM, 129 for
    SIGHUP.
    """
    try:
        open_streams()
        with signals_stop(_tell_stopping):
            try:
                app()
            finally:
                sys.stdout.flush()  # a full disk is told while it can be
    except HeadstartError as error:
        from .console import fail

        fail(str(error))
        sys.exit(error.status)
    except Stopped as stopped:
        from .console import fail

        going_on = (
            "what was extracted is cached, the same command goes on from there "
            "(fit finetune: with --resume)"
        )
        with contextlib.suppress(OSError):  # the terminal may be what has gone
            fail(str(stopped) or f"stopped; {going_on}")
        sys.exit(128 + stopped.number)
    except BrokenPipeError:  # the reader of our output, such as head, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _tell_stopping() -> None:
    from .console import warn

    warn("stopping; what is finished is kept; the same signal again stops at once")
