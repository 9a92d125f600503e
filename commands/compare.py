"""``headstart compare``."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .dataset import read_data
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
    takes,
)

if TYPE_CHECKING:
    from ..extract.recipe import Execution, Recipe

app = typer.Typer(help="Compare approaches.", no_args_is_help=True)


@app.command("transfer-vs-finetune")
@takes(BACKBONES)
def transfer_vs_finetune(
    data: Data,
    model: Annotated[
        list[str] | None, typer.Option(help="Heads to compare; repeat. Default: auto and dense.")
    ] = None,
    *,
    recipes: "list[Recipe]",
    execution: "Execution",
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
    from ..classify.compare.approaches import finetune_approach
    from ..classify.compare.compare import compare
    from ..classify.compare.report.tables import table
    from ..classify.compare.report.write import write_report
    from ..classify.compare.run_all import Procedure
    from ..classify.finetune.settings import FineTuneSettings
    from ..console import command_line, print_json, print_table, say, stages, warn
    from ..extract.source import feature_source

    settings = FineTuneSettings(
        unfreeze=tuple(unfreeze or ()),
        start=tuple(start or ()),
        batch_norm=tuple(batch_norm or ()),
        learning_rate=tuple(learning_rate or ()),
        epochs=epochs,
        budget=budget,
        resume=not recompute,
        seed=seed,
    )
    dataset = read_data(data, columns, quiet=quiet)
    with stages(quiet=quiet):
        comparison = compare(
            dataset,
            [feature_source(recipe, execution, dataset) for recipe in recipes],
            model or ["auto", "dense"],
            [functools.partial(finetune_approach, settings)],
            Procedure(seed, repeats, recompute),
            max_failures=max_failures,
            command=command_line(),
        )
        written = write_report(comparison, out)
    results = comparison.results
    if as_json:
        print_json(results)
        return
    header, *rows = table(results)
    print_table(header, rows)
    say("")
    say(results["verdict"])
    reused = sum(approach["reused"] for approach in results["approaches"])
    if reused:
        say(f"{reused} of {len(results['approaches'])} were computed before (--recompute: again)")
    say(f"report: {written[0]}")
    if not quiet:
        for line in results["warnings"]:
            warn(line)


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
