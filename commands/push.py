"""``headstart push``."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Json, Quiet


def push_model(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="What 'fit head --out' or 'fit finetune --out' wrote."
        ),
    ],
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
    from ..api.push import push
    from ..console import give, stages

    with stages(quiet=quiet):
        pushed = push(model, repo, private=private, dry_run=dry_run, endpoint=endpoint)
    give(pushed, as_json=as_json, quiet=quiet)
