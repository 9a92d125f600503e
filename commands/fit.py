"""``headstart fit``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..classify.heads.table import describe_heads
from .asking import asks
from .finetune import finetune
from .options import (
    FEATURES,
    Assert,
    Columns,
    Data,
    Embed,
    Json,
    License,
    MaxFailures,
    Quiet,
    Seed,
    Track,
)
from .rank import rank_features

app = typer.Typer(help="Train classifiers.", no_args_is_help=True)
app.command("rank")(rank_features)
app.command("finetune")(finetune)


@app.command("head")
@asks("fit_head", FEATURES)
def fit_head(
    data: Data,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help=f"auto (the fast ones), all, or any of {describe_heads()}; repeat for several. "
            "Default: logreg."
        ),
    ] = None,
    *,
    options: dict[str, Any],
    max_failures: MaxFailures = None,
    rule: Annotated[
        str,
        typer.Option(
            help="best: the highest cross-validated accuracy; one-se: the cheapest head within "
            "one standard error of it."
        ),
    ] = "best",
    class_weight: Annotated[
        str | None, typer.Option(help="balanced: rare classes count as much as frequent ones.")
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Train on N images, each class by its share; the others are not extracted "
            "either. Default: on all.",
        ),
    ] = None,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Save the (best) classifier here.")] = None,
    embed: Embed = False,
    accept_loss: Annotated[
        bool,
        typer.Option(
            "--accept-loss",
            help="Take --precision int8 or another though it costs the head more than noise.",
        ),
    ] = False,
    license: License = None,
    gates: Assert = None,
    track: Track = None,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a head on cached features, extracting what is missing, and evaluate it once.

    Example: headstart fit head photographs/ --model logreg --out photographs.headstart
    """


@app.command("learning-curve")
@asks("learning_curve", FEATURES)
def learning_curve(
    data: Data,
    model: Annotated[str, typer.Option(help="One head, see 'fit head'.")] = "logreg",
    seeds: Annotated[
        int, typer.Option(min=1, help="Subsets of each size. The largest is all images, once.")
    ] = 5,
    *,
    options: dict[str, Any],
    max_failures: MaxFailures = None,
    seed: Seed = 0,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show accuracy against images a class, and what doubling the data would bring.

    Example: headstart fit learning-curve photographs/
    """
