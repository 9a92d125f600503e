"""``headstart group``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .dataset import read_data
from .options import FEATURES, Columns, Data, Json, MaxFailures, Quiet, Seed, takes

if TYPE_CHECKING:
    from ..api.options import FeatureOptions
    from ..classify.group.group import Grouping


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
    from ..api.options import source_of
    from ..classify.data.collection import load_collection
    from ..classify.group.group import group, link_groups
    from ..classify.group.page import write_sheets
    from ..console import print_json, remark, say, stages, warn_all

    dataset = read_data(data, columns, quiet=quiet, needs_labels=False)
    with stages(quiet=quiet):
        source = source_of(options, dataset)
        grouping = group(load_collection(dataset, source, max_failures), seed)
        page = None if out is None else write_sheets(grouping, out)
        linked = None if out is None else link_groups(grouping, out)
    if as_json:
        print_json(grouping.to_dict())
    else:
        _print(grouping)
        if page is not None:
            say(f"\npage: {page}")
    if linked is not None and not quiet:
        remark(linked)
    warn_all(grouping.collection.warnings, quiet=quiet)


def _print(grouping: "Grouping") -> None:
    from ..console import print_table, say
    from ..text import below, shown

    document, root = grouping.to_dict(), grouping.collection.root
    images = grouping.collection.images
    print_table(
        ["group", "photographs", "medoid"],
        [
            [name, f"{len(grouping.members(number)):,}", below(images[medoid].path, root)]
            for number, (name, medoid) in enumerate(
                zip(grouping.names, grouping.clusters.medoids.tolist(), strict=True)
            )
        ],
        paths=["medoid"],
    )
    say(
        f"{len(grouping.names):,} groups, {len(document['outliers']):,} outliers, "
        f"{len(document['copies']):,} sets of copies"
    )
    for kind, agreement in (
        ()
        if document["labels"] is None
        else (("groups", document["labels"]["found"]), ("k-means", document["labels"]["k_means"]))
    ):
        say(
            f"against the labels, {shown(kind)} ({agreement['groups']}): adjusted Rand index "
            f"{agreement['adjusted_rand']:.3f}, purity {agreement['purity']:.3f}"
        )
