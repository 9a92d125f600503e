"""The command line: every command by its name, one exit for errors."""

import os
import sys
from typing import Annotated

import typer

from . import __version__
from .commands import compare, demo, extract, fit, inspect, predict
from .errors import HeadstartError

app = typer.Typer(
    name="headstart",
    help="Turn a folder of photographs into a classifier by transfer learning.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(extract.app, name="extract")
app.add_typer(fit.app, name="fit")
app.add_typer(compare.app, name="compare")
app.command("inspect")(inspect.inspect_data)
app.command("predict")(predict.predict_images)
app.command("demo")(demo.demo)


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"headstart {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True),
    ] = False,
) -> None:
    """Turn a folder of photographs into a classifier by transfer learning."""
    _version(wanted=version)


def main() -> None:
    """Run the command line; expected errors become one line and exit status 1."""
    try:
        app()
    except HeadstartError as error:
        from .console import fail

        fail(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        from .console import fail

        fail(
            "interrupted; what was extracted is cached, the same command goes on from there "
            "(fit finetune: with --resume)"
        )
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output, such as head, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
