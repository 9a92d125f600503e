"""``headstart evaluate``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .asking import asks
from .options import (
    RUNNING,
    Assert,
    Columns,
    Data,
    Json,
    MaxFailures,
    Model,
    Quiet,
    Seed,
    Track,
    TrustJoblib,
)


@asks("evaluate", RUNNING)
def evaluate_data(
    model: Model,
    data: Data,
    split: Annotated[
        str | None,
        typer.Option(
            help="train, validation, test or all. Default: test where DATA has it, else "
            "validation, else all images."
        ),
    ] = None,
    class_map: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE|FROM=TO",
            help="DATA's class names to the model's: a CSV file with the columns from,to, a JSON "
            "object, or one pair; repeat for several. A class mapped to nothing is left out.",
        ),
    ] = None,
    abstain: Annotated[
        float | None,
        typer.Option(
            metavar="COVERAGE",
            help="Also say what labelling this share of images would have meant here.",
        ),
    ] = None,
    mistakes: Annotated[int, typer.Option(min=0, help="Mistakes to list.")] = 10,
    *,
    compare_with: Annotated[
        Path | None,
        typer.Option(
            metavar="OLD",
            help="Another saved classifier, labelled with too: a paired test says whether MODEL is "
            "worse; --assert then knows the difference in accuracy, such as "
            "difference.ci.low>=-0.02.",
        ),
    ] = None,
    gates: Assert = None,
    track: Track = None,
    trust_joblib: TrustJoblib = False,
    options: dict[str, Any],
    max_failures: MaxFailures = None,
    seed: Seed = 0,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Evaluate a saved classifier on labelled images, with intervals.

    Images that it was trained on are told. --json has all mistakes.

    Example: headstart evaluate photographs.headstart new-photographs/
    """
