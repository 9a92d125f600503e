"""``headstart inspect``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    FEATURES,
    Columns,
    Data,
    Json,
    MaxFailures,
    Quiet,
    Seed,
    takes,
)

if TYPE_CHECKING:
    from ..extract.images.images import Dataset


@takes(FEATURES)
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
    if dry_run:
        from ..api.data import open_data

        _print_reading(open_data(data, columns), as_json=as_json, quiet=quiet)
        return
    from ..api.inspect import inspect
    from ..console import give, stages

    with stages(quiet=quiet):
        inspected = inspect(
            data,
            top=top,
            seed=seed,
            out=out,
            columns=columns,
            max_failures=max_failures,
            **options,
        )
    give(inspected, as_json=as_json, quiet=quiet)


def _print_reading(dataset: "Dataset", *, as_json: bool, quiet: bool) -> None:
    from ..console import print_json, print_table, say, warn

    reading = dataset.read_as_document()
    if as_json:
        print_json(reading)
        return
    say(reading["read_as"])
    print_table(
        ["class", *reading["splits"], "images"],
        [
            [row["name"], *(f"{count:,}" for count in row["splits"].values()), f"{row['images']:,}"]
            for row in reading["classes"]
        ],
    )
    for line in () if quiet else reading["warnings"]:
        warn(line)
