"""``headstart inspect``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .asking import asks
from .options import FEATURES, Columns, Data, Json, MaxFailures, Quiet, Seed


@asks("inspect", FEATURES)
def inspect_data(
    data: Data,
    *,
    options: dict[str, Any],
    max_failures: MaxFailures = None,
    top: Annotated[int, typer.Option(min=1, help="Findings of a kind to show.")] = 40,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for inspect.html, a page with thumbnails.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how DATA is read; no image is opened.")
    ] = False,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find duplicates, leaks between splits, likely label errors and outliers.

    Everything comes from cached features. Tables and page show the first of each kind
    (--top), --json has all of them.

    Example: headstart inspect photographs/ --out report
    """
