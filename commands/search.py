"""``headstart search``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .asking import asks
from .options import FEATURES, Columns, Data, Json, MaxFailures, Quiet, TrustJoblib


@asks("search", FEATURES)
def search_data(
    data: Data,
    like: Annotated[
        list[str] | None,
        typer.Option(metavar="IMAGE", help="What to look for; repeat for the mean of several."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Look for a --class of this saved classifier instead.")
    ] = None,
    label: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="One of the --model's.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Photographs to find.")] = 20,
    index: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for an index of DATA, kept and grown (extra index): sooner beyond a "
            "million, and a few of the nearest are missed.",
        ),
    ] = None,
    *,
    options: dict[str, Any],
    max_failures: MaxFailures = None,
    trust_joblib: TrustJoblib = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for search.html, a page of thumbnails.")
    ] = None,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find the photographs that look most like some, by the cosine of cached features.

    No labels are needed. Every photograph is compared, unless --index says which.

    Example: headstart search photographs/ --like uakari.jpg --top 30 --out found
    """
