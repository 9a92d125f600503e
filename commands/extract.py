"""``headstart extract``."""

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
    takes,
)

if TYPE_CHECKING:
    from ..api.options import FeatureOptions
    from ..extract.feature_run import FeatureRun

app = typer.Typer(help="Run the frozen backbone over images.", no_args_is_help=True)


@app.command("features")
@takes(FEATURES)
def extract_features(
    data: Data,
    *,
    options: "FeatureOptions",
    max_failures: MaxFailures = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write one portable table: .h5, .parquet (a list column 'embedding') or .npz.",
        ),
    ] = None,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a frozen backbone once over every image and cache its features.

    Example: headstart extract features photographs/
    """
    from ..api.options import source_of
    from ..console import print_json, stages, warn
    from ..extract.feature_run import extract_dataset

    dataset = read_data(data, columns, quiet=quiet, needs_labels=False)
    with stages(quiet=quiet):
        source = source_of(options, dataset)
        run = extract_dataset(dataset, source, out, max_failures)
    if as_json:
        print_json(run.to_document())
    else:
        _print(run)
    if not quiet:
        for line in run.warnings:
            warn(line)
    run.check()


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


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _print(run: "FeatureRun") -> None:
    from ..cache import place_of
    from ..console import say
    from ..text import shown

    extraction, plan, rate = run.extraction, run.source.plan, run.images_per_second
    say(
        f"{len(extraction.digests):,} images: {extraction.extracted:,} extracted, "
        f"{extraction.reused:,} reused, {extraction.duplicates:,} duplicates, "
        f"{len(extraction.failures):,} failed"
    )
    speed = f" ({rate:.0f} images/s)" if rate else ""
    say(f"{run.dimension or 0:,} features an image, {extraction.seconds:.1f} s{speed}")
    if extraction.engine:
        say(
            f"{extraction.engine} on the {extraction.device}, {plan.precision}, "
            f"{_count(plan.workers, 'worker')}, {_count(plan.batch_size, 'image')} a batch"
        )
    say(f"cache: {place_of(run.source.store().folder)}")
    for failure in extraction.failures:
        say(f"failed: {shown(failure.path)}: {failure.reason}")
