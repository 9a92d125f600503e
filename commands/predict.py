"""``headstart predict``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import (
    RUNNING,
    Json,
    Quiet,
    TrustJoblib,
    takes,
)

if TYPE_CHECKING:
    from ..extract.recipe import Execution


@takes(RUNNING)
def predict_images(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="What 'fit head --out' or 'fit finetune --out' wrote."
        ),
    ],
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
    weights: str | None,
    execution: "Execution",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Label new images with a saved classifier.

    Images that cannot be read are listed, the others are labelled.

    Example: headstart predict photographs.headstart holiday/ --top 1 --sort-into sorted
    """
    import sys

    from ..classify.predict.model_source import abstainer_of
    from ..classify.predict.predict import predict_each
    from ..classify.predict.sorting import ClassFolders, copy, link
    from ..classify.saved.load import load_model
    from ..console import remark, stages, warn_all
    from ..errors import DataError
    from ..extract.images.listing import list_images, outside
    from ..text import shown
    from .formats import find_format

    output = find_format(format_, as_json=as_json)(top)
    classifier = load_model(model, weights=weights, trust_joblib=trust_joblib, to_label=True)
    images = list_images(paths, getattr(sys.stdin, "buffer", None))
    folders = None
    if sort_into is not None:
        folders = ClassFolders(sort_into, copy if copies else link)
        images = outside(images, sort_into)  # of an earlier run
    promise = None if abstain is None else abstainer_of(classifier).promise(abstain)
    remarks: list[str] = []
    output.begin()
    # Rows on the same screen are progress enough.
    with stages(quiet=quiet or (output.streams and sys.stdout.isatty())):
        answers = predict_each(classifier, images, execution, top, abstain, remarks.append)
        for answer in answers:
            output.take(folders.place(answer) if folders else answer)
    output.finish(promise)
    failures = [f"{shown(failure.path)}: {failure.reason}" for failure in output.failures]
    warn_all([*remarks, *failures], quiet=quiet)
    if folders is not None and not quiet:
        remark(folders.summary())
    if not output.labelled:
        raise DataError(output.nothing())
