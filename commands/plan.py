"""``headstart plan``."""

from typing import Annotated, Any

import typer

from .asking import asks
from .options import FEATURES, Columns, Data, Json, Quiet


@asks("plan", FEATURES)
def plan_extraction(
    data: Data,
    *,
    options: dict[str, Any],
    processes: Annotated[
        list[int] | None,
        typer.Option(
            "--processes",
            min=1,
            help="Worker processes to reckon with; repeat for several. Default: 1, 10, 100, 1000.",
        ),
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="Images to time.")] = 64,
    bandwidth: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            metavar="MB/S",
            help="What all workers together can read and write, in MB/s. Default: no limit.",
        ),
    ] = None,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Say what a large extraction will take: hours, storage, the bottleneck.

    Example: headstart plan photographs/ --processes 8 --bandwidth 100
    """
