"""``headstart compare``."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .asking import asks
from .options import (
    BACKBONES,
    BatchNorm,
    Budget,
    Columns,
    Data,
    Epochs,
    Json,
    LearningRate,
    MaxFailures,
    Quiet,
    Seed,
    Start,
    Track,
)

app = typer.Typer(help="Compare approaches.", no_args_is_help=True)


def _command_line() -> str:
    """Return what was typed, as a shell takes it."""
    return shlex.join(["headstart", *sys.argv[1:]])


@app.command("transfer-vs-finetune")
@asks("compare", BACKBONES, command=_command_line)
def transfer_vs_finetune(
    data: Data,
    model: Annotated[
        list[str] | None, typer.Option(help="Heads to compare; repeat. Default: auto and dense.")
    ] = None,
    *,
    options: dict[str, Any],
    max_failures: MaxFailures = None,
    budget: Budget = "standard",
    unfreeze: Annotated[
        list[str] | None,
        typer.Option(
            help="Depth to fine-tune from: a block, a layer, a number of blocks or all; as what "
            "follows, repeat to let the search choose among several. Default: its own."
        ),
    ] = None,
    start: Start = None,
    batch_norm: BatchNorm = None,
    learning_rate: LearningRate = None,
    epochs: Epochs = None,
    repeats: Annotated[
        int,
        typer.Option(min=1, help="Splits to run on: the dataset's own, then stable resplits."),
    ] = 1,
    track: Track = None,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Run again what was computed before.")
    ] = False,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("report"),
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Compare heads on frozen features with fine-tuning, and say which to use.

    Example: headstart compare transfer-vs-finetune photographs/ --out report
    """


@app.command("show")
def show(
    report: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a report.")],
    other: Annotated[
        Path | None, typer.Argument(metavar="[DIR2]", help="Another, to hold beside it.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Print a report's table again, or two reports side by side.

    Example: headstart compare show report/
    """
    from ..classify.compare.report.tables import SIDE_BY_SIDE, side_by_side, table
    from ..classify.compare.report.write import read_results
    from ..console import print_json, print_table, say

    folders = [report] if other is None else [report, other]
    reports = [read_results(folder) for folder in folders]
    if as_json:
        print_json(reports[0] if other is None else {"version": 1, "reports": reports})
        return
    if other is None:
        header, *rows = table(reports[0])
        print_table(header, rows)
    else:
        print_table(SIDE_BY_SIDE, side_by_side(*reports))
    for folder, results in zip(folders, reports, strict=True):
        say("")
        say(results["verdict"] if other is None else f"{folder}: {results['verdict']}")
