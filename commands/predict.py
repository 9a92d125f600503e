"""``headstart predict``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import (
    RUNNING,
    Json,
    Model,
    PartOfAll,
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
            help="table, csv or jsonl, which print each image as soon as it is labelled; with --out "
            "csv or parquet.",
        ),
    ] = "table",
    sort_into: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Link each image into DIR/CLASS, those left to a person into DIR/unsure.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write files of 65,536 images each there instead, CSV or Parquet; the same command "
            "goes on where an earlier one was stopped.",
        ),
    ] = None,
    part: PartOfAll = None,
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
    from ..classify.predict.parts import find_form, write_parts
    from ..console import remark, say, stages, warn_all
    from ..errors import DataError, OptionError
    from .formats import find_format

    if out is not None and (sort_into is not None or as_json):
        raise OptionError("--out writes files alone: leave --json and --sort-into out")
    form = None if out is None else find_form(format_)
    output = find_format("table" if form else format_, as_json=as_json)(top)
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
        part=part,
    )
    if out is not None and form is not None:
        made_by = f"{_digest(model)} {abstain}"
        with stages(quiet=quiet):
            written = write_parts(out, labelling.images, labelling.label, top, made_by, form)
        warn_all(labelling.warnings, quiet=quiet)
        say(
            f"{written.labelled:,} images labelled, {written.failed:,} failed, {written.kept:,} in "
            f"files that were there; see {out}"
        )
        return
    output.begin()
    # Rows on the same screen are progress enough.
    with stages(quiet=quiet or (output.streams and sys.stdout.isatty())):
        for answer in labelling:
            output.take(answer)
    output.finish(labelling.promise)
    warn_all([*labelling.warnings, *map(str, output.failures)], quiet=quiet)
    if labelling.folders is not None and not quiet:
        remark(labelling.folders.summary())
    if output.failures and not output.labelled:
        raise DataError(output.nothing())


def _digest(file: Path) -> str:
    import hashlib

    return hashlib.sha256(file.read_bytes()).hexdigest()
