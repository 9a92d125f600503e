"""``headstart fit finetune``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .dataset import read_data
from .options import (
    FEATURES,
    Assert,
    BatchNorm,
    Budget,
    Columns,
    Data,
    Epochs,
    Json,
    LearningRate,
    License,
    MaxFailures,
    Quiet,
    Seed,
    Start,
    takes,
)

if TYPE_CHECKING:
    from ..extract.recipe import Execution, Recipe


@takes(FEATURES)
def finetune(
    data: Data,
    unfreeze: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="What moves: a block (vgg16: block5), the layer it begins with (mobilenet: "
            "conv_pw_12), a number of blocks from the top, all or none (the head alone). As all "
            "that follows: repeat to let the search choose among several; by default it chooses "
            "among its own.",
        ),
    ] = None,
    *,
    recipe: "Recipe",
    execution: "Execution",
    max_failures: MaxFailures = None,
    budget: Budget = "quick",
    start: Start = None,
    batch_norm: BatchNorm = None,
    learning_rate: LearningRate = None,
    augment: Annotated[
        list[str] | None,
        typer.Option(
            help="none; views: another cached view each epoch; on-the-fly: a new view each "
            "epoch, through the frozen layers every time. Repeat to choose among several."
        ),
    ] = None,
    layer_decay: Annotated[
        float | None, typer.Option(help="Learning rate of each block against the one above it.")
    ] = None,
    epochs: Epochs = None,
    weight_decay: Annotated[float, typer.Option(help="Decoupled, of kernels alone.")] = 1e-4,
    label_smoothing: Annotated[
        float, typer.Option(help="Share of each label spread over all classes.")
    ] = 0.0,
    folds: Annotated[
        int, typer.Option(min=1, help="Eighths of the training images that judge a candidate.")
    ] = 1,
    images_per_step: Annotated[int, typer.Option(min=1, help="Images a training step.")] = 32,
    augment_views: Annotated[
        int, typer.Option(min=1, max=9999, help="Views an image with --augment views.")
    ] = 4,
    cache_budget: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Disk for activations at the freeze boundary, such as 8GB; above it they are "
            "kept in float16, then computed anew each epoch. Default: half of what is free.",
        ),
    ] = None,
    memory_budget: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Memory for activations; more of them are read in streams. Default: half of "
            "what is free.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the same search was ended.")
    ] = False,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Save the classifier here.")] = None,
    license_: License = None,
    gates: Assert = None,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Fine-tune a backbone: search how on held-out images, train on all, evaluate once.

    Example: headstart fit finetune photographs/ --budget standard
    """
    from ..classify.finetune.run import fit_network
    from ..classify.finetune.settings import FineTuneSettings
    from ..classify.statistics.gates import check_gates, check_measured
    from ..console import print_json, stages, warn
    from ..extract.source import feature_source
    from ..text import parse_bytes

    settings = FineTuneSettings(
        unfreeze=tuple(unfreeze or ()),
        start=tuple(start or ()),
        batch_norm=tuple(batch_norm or ()),
        learning_rate=tuple(learning_rate or ()),
        augment=tuple(augment or ()),
        layer_decay=layer_decay,
        epochs=epochs,
        folds=folds,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        batch_size=images_per_step,
        augment_views=augment_views,
        budget=budget,
        cache_budget=None if cache_budget is None else parse_bytes(cache_budget),
        memory_budget=None if memory_budget is None else parse_bytes(memory_budget),
        resume=resume,
        seed=seed,
    )
    check_measured(gates or [])
    dataset = read_data(data, columns, quiet=quiet)
    with stages(quiet=quiet):
        run = fit_network(
            dataset,
            feature_source(recipe, execution, dataset),
            settings,
            out=out,
            licence=license_,
            max_failures=max_failures,
        )
    if not quiet:
        for line in run.warnings:
            warn(line)
    if as_json:
        print_json({"version": 1, **run.record})
    else:
        _print_record(run.record)
    check_gates(gates or [], run.figures)


def _print_record(record: dict[str, Any]) -> None:
    from ..classify.finetune.documents import describe_search
    from ..console import print_table, say

    head, against = record["head"], record["against_head"]
    print_table(
        ["model", "accuracy", "95 % interval", "macro-F1", "log loss", "seconds"],
        [
            _row(f"{head['model']}, all frozen", head["evaluation"], head["seconds"]),
            _row(record["model"], record["evaluation"], record["seconds"]["fit"]),
        ],
    )
    evaluation = record["evaluation"]
    say(f"accuracy on the {evaluation['n']} images of the {evaluation['split']} split, used once")
    low, high = (100 * bound for bound in against["difference_ci95"])
    say(
        f"difference {100 * against['difference']:+.1f} points, 95 % interval {low:+.1f} to "
        f"{high:+.1f}, McNemar p = {against['mcnemar_p']:.2g}"
    )
    for line in describe_search(record["search"]):
        say(line)
    moved = ", ".join(f"{name} {100 * share:.2g} %" for name, share in record["moved"].items())
    say(f"weights moved by: {moved}")
    if record["path"] is not None:
        say(f"saved: {record['path']}")
        say(f"model card: {record['card']}")


def _row(name: str, evaluation: dict[str, Any], seconds: float) -> list[str]:
    from ..console import interval

    return [
        name,
        f"{100 * evaluation['accuracy']:.1f} %",
        interval(evaluation["ci95"]),
        f"{evaluation['macro_f1']:.3f}",
        f"{evaluation['log_loss']:.3f}",
        f"{seconds:.1f}",
    ]
