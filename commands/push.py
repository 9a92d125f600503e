"""``headstart push``."""

from typing import Annotated

import typer

from .asking import asks
from .options import Json, Model, Quiet


@asks("push")
def push_model(
    model: Model,
    repo: Annotated[
        str, typer.Argument(metavar="REPO", help="Such as me/flowers; made when missing.")
    ],
    private: Annotated[
        bool, typer.Option("--private", help="Make a repository that only you can see.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the card, say what would be sent.")
    ] = False,
    endpoint: Annotated[
        str | None, typer.Option(envvar="HF_ENDPOINT", help="Another hub than Hugging Face's.")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Put a saved classifier and its card into a repository of the Hugging Face Hub.

    Example: headstart push photographs.headstart me/photographs --private
    """
