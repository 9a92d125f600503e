"""``headstart group``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .asking import asks
from .options import FEATURES, Columns, Data, Json, MaxFailures, Quiet, Seed


@asks("group", FEATURES)
def group_data(
    data: Data,
    *,
    options: dict[str, Any],
    max_failures: MaxFailures = None,
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for group.html, contact sheets, and a folder of links for each group.",
        ),
    ] = None,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Put photographs that look alike together; how many groups there are is found.

    No labels are needed; where there are some, it says how well groups agree with them.

    Example: headstart group photographs/ --out groups
    """
