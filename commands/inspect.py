"""``headstart inspect``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .dataset import read_data
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
    from ..classify.doctor.findings import Copies, Inspection
    from ..extract.images.images import Dataset
    from ..extract.recipe import Execution, Recipe


@takes(FEATURES)
def inspect_data(
    data: Data,
    *,
    recipe: "Recipe",
    execution: "Execution",
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
    dataset = read_data(data, columns, quiet=quiet or dry_run)
    if dry_run:
        _print_reading(dataset, as_json=as_json, quiet=quiet)
        return
    from ..classify.doctor.inspect import inspect
    from ..classify.doctor.page import write_page
    from ..console import print_json, say, stages, warn
    from ..extract.source import feature_source

    with stages(quiet=quiet):
        inspection = inspect(
            dataset, feature_source(recipe, execution, dataset), seed, max_failures
        )
        page = None if out is None else write_page(inspection, out, top)
    if as_json:
        print_json(inspection.to_dict())
    else:
        _print(inspection, top)
        if page is not None:
            say(f"\npage: {page}")
    if not quiet:
        for line in inspection.remarks:
            warn(line)


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


def _print(inspection: "Inspection", top: int) -> None:
    from ..console import print_table, say
    from ..text import shown

    for line in inspection.summary():
        say(line)
    say("")
    print_table(
        ["class", *inspection.splits, "images", ""],
        [
            [
                shown(count.name),
                *(f"{count.splits[part]:,}" for part in inspection.splits),
                f"{count.images:,}",
                "few" if count.small else "",
            ]
            for count in inspection.smallest(top)
        ],
    )
    _more(len(inspection.classes), top)
    _print_copies("exact duplicates", inspection, inspection.duplicates, top)
    _print_copies("near duplicates", inspection, inspection.near_duplicates, top)
    if inspection.label_errors:
        say("\nlabel errors")
        print_table(
            ["what", "image", "split", "label", "suggested", "P(suggested)", "P(label)"],
            [
                [
                    error.what,
                    inspection.name(error.image),
                    error.image.split,
                    shown(error.image.label),
                    shown(error.suggested),
                    f"{error.suggested_probability:.3f}",
                    f"{error.score:.3f}",
                ]
                for error in inspection.label_errors[:top]
            ],
            texts=5,
            paths=["image"],
        )
        _more(len(inspection.label_errors), top)
    _print_outliers(inspection, top)
    for failure in inspection.failed:
        say(f"failed: {shown(failure.path)}: {failure.reason}")


def _print_outliers(inspection: "Inspection", top: int) -> None:
    from ..console import print_table, say
    from ..text import shown

    if not inspection.outliers:
        return
    say("\noutliers")
    print_table(
        ["image", "split", "label", "nearest", "distance"],
        [
            [
                inspection.name(outlier.image),
                outlier.image.split,
                shown(outlier.image.label),
                inspection.name(outlier.nearest),
                f"{outlier.score:.3f}",
            ]
            for outlier in inspection.outliers[:top]
        ],
        texts=4,
        paths=["image", "nearest"],
    )
    _more(len(inspection.outliers), top)


def _print_copies(title: str, inspection: "Inspection", groups: "list[Copies]", top: int) -> None:
    from ..console import print_table, say
    from ..text import shown

    if not groups:
        return
    say(f"\n{title}")
    print_table(
        ["what", "image", "split", "label", "copy", "split", "label", "similarity"],
        [
            [
                group.what,
                inspection.name(group.images[0]),
                group.images[0].split,
                shown(group.images[0].label),
                inspection.name(copy),
                copy.split,
                shown(copy.label),
                f"{group.score:.3f}",
            ]
            for group in groups[:top]
            for copy in group.images[1:]
        ],
        texts=7,
        paths=["image", "copy"],
    )
    _more(len(groups), top)


def _more(count: int, top: int) -> None:
    from ..console import say

    if count > top:
        say(f"… and {count - top:,} more: --top {count} or --json shows all")
