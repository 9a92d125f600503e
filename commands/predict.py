"""``headstart predict``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import (
    RUNNING,
    Json,
    Model,
    Quiet,
    TrustJoblib,
    takes,
)

if TYPE_CHECKING:
    from ..api.options import ModelOptions


@takes(RUNNING)
def predict_images(
    model: Model,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Images, folders, patterns such as 'in/**/*.jpg', shards, URLs of any of these, or "
            "- for a list of images and folders on standard input, one a line.",
        ),
    ],
    top: Annotated[int, typer.Option(min=1, help="Classes to name an image.")] = 3,
    abstain: Annotated[
        float | None,
        typer.Option(
            metavar="COVERAGE",
            help="Share of images to label, over 0 and up to 1: the most unusual others are left "
            "to a person. Default: all are labelled.",
        ),
    ] = None,
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="table, csv or jsonl, which print each image as soon as it is labelled.",
        ),
    ] = "table",
    sort_into: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Link each image into DIR/CLASS, those left to a person into DIR/unsure.",
        ),
    ] = None,
    copies: Annotated[
        bool, typer.Option("--copy/--link", help="How --sort-into places images.")
    ] = False,
    *,
    trust_joblib: TrustJoblib = False,
    options: "ModelOptions",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Label new images with a saved classifier.

    Images that cannot be read are listed, the others are labelled.

    Example: headstart predict photographs.headstart holiday/ --top 1 --sort-into sorted
    """
    import sys

    from ..api.predict import open_labelling
    from ..console import remark, stages, warn_all
    from ..errors import DataError
    from .formats import find_format

    output = find_format(format_, as_json=as_json)(top)
    labelling = open_labelling(
        model,
        paths,
        getattr(sys.stdin, "buffer", None),
        top=top,
        abstain=abstain,
        sort_into=sort_into,
        copies=copies,
        trust_joblib=trust_joblib,
        options=options,
    )
    output.begin()
    # Rows on the same screen are progress enough.
    with stages(quiet=quiet or (output.streams and sys.stdout.isatty())):
        for answer in labelling:
            output.take(answer)
    output.finish(labelling.promise)
    warn_all([*labelling.warnings, *map(str, output.failures)], quiet=quiet)
    if labelling.folders is not None and not quiet:
        remark(labelling.folders.summary())
    if not output.labelled:
        raise DataError(output.nothing())
