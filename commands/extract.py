"""``headstart extract``."""

from dataclasses import asdict
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
    from ..extract.recipe import Execution, Recipe

app = typer.Typer(help="Run the frozen backbone over images.", no_args_is_help=True)


@app.command("features")
@takes(FEATURES)
def extract_features(
    data: Data,
    *,
    recipe: "Recipe",
    execution: "Execution",
    max_failures: MaxFailures = None,
    out: Annotated[
        Path | None, typer.Option(help="Also write one portable HDF5 table here.")
    ] = None,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a frozen backbone once over every image and cache its features.

    Example: headstart extract features photographs/
    """
    from ..cache import place_of
    from ..console import print_json, say, stages, warn
    from ..extract.features import ensure_features, load_features
    from ..extract.pipeline import check_failures
    from ..extract.source import feature_source
    from ..progress import stage
    from ..text import shown

    dataset = read_data(data, columns, quiet=quiet)
    paths = [image.path for image in dataset.images]
    with stages(quiet=quiet):
        source = feature_source(recipe, execution, dataset)
        store = source.store()
        extraction, warnings = ensure_features(paths, source, store, stage("extracting"))
    if out is not None:
        from ..extract.portable_table import write_table

        write_table(out, dataset, load_features(paths, source), source)
    failed = [{"path": shown(f.path), "reason": f.reason} for f in extraction.failures]
    rate = extraction.extracted / extraction.seconds if extraction.extracted else None
    if as_json:
        print_json(
            {
                "version": 1,
                "images": len(paths),
                "extracted": extraction.extracted,
                "reused": extraction.reused,
                "duplicates": extraction.duplicates,
                "failed": failed,
                "ledger": [
                    {"path": shown(line.path), "outcome": line.outcome, "reason": line.reason}
                    for line in extraction.ledger
                ],
                "dimension": store.dimension,
                "seconds": round(extraction.seconds, 3),
                "startup_seconds": round(extraction.startup_seconds, 3),
                "images_per_second": None if rate is None else round(rate, 1),
                "backend": execution.backend,
                "engine": extraction.engine,
                "device": extraction.device,
                "precision": source.spec.precision,
                "batch_size": source.plan.batch_size,
                "workers": source.plan.workers,
                "spec": {"id": source.spec.id, **asdict(source.spec)},
                "cache": place_of(source.cache),
            }
        )
    else:
        say(
            f"{len(paths):,} images: {extraction.extracted:,} extracted, {extraction.reused:,} "
            f"reused, {extraction.duplicates:,} duplicates, {len(failed):,} failed"
        )
        speed = f" ({rate:.0f} images/s)" if rate else ""
        say(f"{store.dimension or 0:,} features an image, {extraction.seconds:.1f} s{speed}")
        if extraction.engine:
            plan = source.plan
            say(
                f"{extraction.engine} on the {extraction.device}, {plan.precision}, "
                f"{_count(plan.workers, 'worker')}, {_count(plan.batch_size, 'image')} a batch"
            )
        say(f"cache: {place_of(store.folder)}")
        for failure in failed:
            say(f"failed: {failure['path']}: {failure['reason']}")
    if not quiet:
        for line in (*dataset.warnings, *warnings):
            warn(line)
    check_failures(extraction, max_failures)


@app.command("list")
def extract_list(
    backbone: Annotated[
        str | None, typer.Argument(metavar="BACKBONE", help="Show this one's layers instead.")
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
        [[row["name"], row["kind"], " x ".join(map(str, row["shape"]))] for row in layers],
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
