"""``headstart extract``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .asking import asks
from .options import (
    FEATURES,
    Columns,
    Data,
    Json,
    MaxFailures,
    PartOfAll,
    Quiet,
)

app = typer.Typer(help="Run the frozen backbone over images.", no_args_is_help=True)


@app.command("features")
@asks("extract_features", FEATURES)
def extract_features(
    data: Data,
    *,
    options: dict[str, Any],
    max_failures: MaxFailures = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write one portable table: .h5, .parquet (a list column 'embedding') or .npz.",
        ),
    ] = None,
    columns: Columns = None,
    part: PartOfAll = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a frozen backbone once over every image and cache its features.

    Example: headstart extract features photographs/
    """


@app.command("list")
def extract_list(
    backbone: Annotated[
        str | None,
        typer.Argument(metavar="BACKBONE", help="Show the layers of this one, or of a file."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the backbones, or the layers of one that can be tapped.

    Example: headstart extract list vgg16
    """
    from ..console import print_json, print_table, say
    from ..extract.backbone.backbones import describe_backbones, describe_layers

    if backbone is None:
        rows = describe_backbones()
        if as_json:
            print_json({"version": 1, "backbones": rows})
            return
        print_table(
            ["backbone", "input", "parameters", "features", "tapped by default", "weights"],
            [
                [
                    row["name"],
                    f"{row['input_size'][0]} x {row['input_size'][1]}",
                    f"{row['parameters'] / 1e6:.1f} M",
                    f"{row['dimension']:,}",
                    row["layer"],
                    row["weights"],
                ]
                for row in rows
            ],
        )
        say("\nThe layers of one: headstart extract list BACKBONE")
        return
    layers = describe_layers(backbone)
    if as_json:
        print_json({"version": 1, "backbone": backbone, "layers": layers})
        return
    print_table(
        ["layer", "kind", "shape"],
        [
            [row["name"], row["kind"], " x ".join(str(side or "?") for side in row["shape"])]
            for row in layers
        ],
    )
