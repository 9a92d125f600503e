"""``headstart fit finetune``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .asking import asks
from .options import (
    FEATURES,
    Assert,
    BatchNorm,
    Budget,
    Columns,
    Data,
    Embed,
    Epochs,
    Json,
    LearningRate,
    License,
    MaxFailures,
    Quiet,
    Seed,
    Start,
    Track,
)


@asks("fit_finetune", FEATURES)
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
    options: dict[str, Any],
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
    embed: Embed = False,
    license: License = None,
    gates: Assert = None,
    track: Track = None,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Fine-tune a backbone: search how on held-out images, train on all, evaluate once.

    Example: headstart fit finetune photographs/ --budget standard
    """
