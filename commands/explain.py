"""``headstart explain``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .asking import asks
from .options import MACHINE, Json, Quiet, TrustJoblib


@asks("explain", MACHINE)
def explain_images(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="What 'fit head --out' wrote.")],
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE...", help="Images, folders, patterns, shards, URLs."),
    ],
    method: Annotated[
        str,
        typer.Option(
            help="cam (exact, for linear heads on average pooling), grad-cam (heads with a "
            "gradient), occlusion (any head), or auto: the first that the head allows."
        ),
    ] = "auto",
    label: Annotated[
        str | None,
        typer.Option(
            "--class", metavar="NAME", help="Explain this class. Default: the most probable."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="The training data. Default: where it was when the model was fitted."),
    ] = None,
    neighbours: Annotated[
        int, typer.Option(min=0, help="Nearest training images to name an image.")
    ] = 5,
    *,
    trust_joblib: TrustJoblib = False,
    options: dict[str, Any],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for index.html and a PNG an image, with the map on it."),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show where a classifier looked, and which training images an image resembles.

    Example: headstart explain photographs.headstart holiday/1.jpg --out why
    """
