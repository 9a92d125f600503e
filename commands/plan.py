"""``headstart plan``."""

from typing import TYPE_CHECKING, Annotated

import typer

from .options import FEATURES, Columns, Data, Json, Quiet, takes

if TYPE_CHECKING:
    from ..api.options import FeatureOptions
    from ..extract.speed.plan import ExtractionPlan


@takes(FEATURES)
def plan_extraction(
    data: Data,
    *,
    options: "FeatureOptions",
    processes: Annotated[
        list[int] | None,
        typer.Option(
            "--processes",
            min=1,
            help="Worker processes to reckon with; repeat for several. Default: 1, 10, 100, 1000.",
        ),
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="Images to time.")] = 64,
    bandwidth: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            metavar="MB/S",
            help="What all workers together can read and write, in MB/s. Default: no limit.",
        ),
    ] = None,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Say what a large extraction will take: hours, storage, the bottleneck.

    Example: headstart plan photographs/ --processes 8 --bandwidth 100
    """
    import time

    from ..api.data import open_data
    from ..api.options import source_of
    from ..console import print_json, say, stages, warn
    from ..extract.speed.forecast import WORKERS
    from ..extract.speed.plan import plan_extraction as reckon

    with stages(quiet=quiet):
        begin = time.perf_counter()
        dataset = open_data(data, columns, needs_labels=False)
        listing = time.perf_counter() - begin
        plan = reckon(
            [image.path for image in dataset.images],
            source_of(options, dataset),
            sample=sample,
            workers=processes or WORKERS,
            bandwidth=bandwidth,
        )
    if as_json:
        print_json(plan.document(listing))
        return
    say(f"{plan.images:,} images, {plan.cached:,} of them cached: {plan.left:,} to extract")
    if plan.unknown:
        say(
            f"{plan.unknown:,} were never read on this machine: some may be cached, reading will tell"
        )
    if plan.left:
        _say_plan(plan)
    if not quiet:
        for line in dataset.warnings:
            warn(line)


_VERBS = (("read", "read"), ("decode", "decode"), ("backbone", "run"), ("commit", "write"))


def _say_plan(plan: "ExtractionPlan") -> None:
    """Say what is left to extract, what an image costs and what that comes to."""
    from ..console import print_table, say, size

    costs, left = plan.costs, plan.left
    say(
        f"one worker: {1 / costs.seconds_an_image:,.0f} images/s; an image takes "
        + ", ".join(f"{1000 * costs.seconds[name]:.2f} ms to {verb}" for name, verb in _VERBS)
    )
    say(
        f"{size(round(left * costs.feature_bytes))} of features "
        f"({size(round(costs.feature_bytes))} an image), "
        f"{size(round(left * costs.file_bytes))} of images to read"
    )
    print_table(
        ["workers", "images/s", "time", "shards", "reads MB/s", "writes MB/s", "limited by"],
        [
            [
                f"{row.workers:,}",
                f"{row.images_per_second:,.0f}",
                _time(row.hours),
                f"{row.shards:,}",
                f"{row.read_mb_per_second:,.1f}",
                f"{row.write_mb_per_second:,.1f}",
                row.bottleneck,
            ]
            for row in plan.forecasts
        ],
        texts=0,
    )
    for lines in plan.advice.values():
        for line in lines:
            say(f"quicker: {line}")
    say("the files of the sample may have come from memory: a cold disk reads slower")


def _time(hours: float) -> str:
    if hours < 1 / 60:
        return f"{3600 * hours:.1f} s"
    if hours < 2:
        return f"{60 * hours:.0f} min"
    return f"{hours:,.1f} h" if hours < 48 else f"{hours / 24:,.1f} days"
