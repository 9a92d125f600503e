"""``headstart group``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import FEATURES, Columns, Data, Json, MaxFailures, Quiet, Seed, takes

if TYPE_CHECKING:
    from ..api.options import FeatureOptions


@takes(FEATURES)
def group_data(
    data: Data,
    *,
    options: "FeatureOptions",
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
    from ..api.group import group
    from ..console import give, stages

    with stages(quiet=quiet):
        grouped = group(
            data, seed=seed, out=out, columns=columns, max_failures=max_failures, **options
        )
    give(grouped, as_json=as_json, quiet=quiet)
