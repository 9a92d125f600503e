"""``headstart compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    Data,
    Json,
    MaxFailures,
    Quiet,
    Seed,
    feature_options,
    takes,
)

if TYPE_CHECKING:
    from ..extract.features import FeatureOptions

app = typer.Typer(help="Compare approaches.", no_args_is_help=True)


@app.command("transfer-vs-finetune")
@takes(feature_options)
def transfer_vs_finetune(
    data: Data,
    model: Annotated[
        list[str] | None, typer.Option(help="Heads to compare; repeat. Default: auto and dense.")
    ] = None,
    *,
    options: "FeatureOptions",
    max_failures: MaxFailures = None,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of fine-tuning at most.")] = 6,
    learning_rate: Annotated[float, typer.Option(help="Of Adam, for fine-tuning.")] = 1e-5,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("report"),
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Compare heads on frozen features with fine-tuning, and say which to use.

    Example: headstart compare transfer-vs-finetune photographs/ --out report
    """
    from ..classify.compare import compare
    from ..classify.finetune import FineTuneSettings
    from ..classify.report import write_report
    from ..console import print_json, print_table, say, stages, warn
    from ..extract.dataset import read_dataset
    from ..extract.features import feature_source

    settings = FineTuneSettings(learning_rate=learning_rate, epochs=epochs, seed=seed)
    with stages(quiet=quiet) as stage:
        results = compare(
            read_dataset(data),
            feature_source(options),
            model or ["auto", "dense"],
            settings,
            stage,
            max_failures,
        )
    written = write_report(results, out)
    if as_json:
        print_json(results)
        return
    print_table(
        ["approach", "accuracy", "95 % interval", "log loss", "seconds", "peak MB", "trainable"],
        [_approach_row(approach) for approach in results["approaches"]],
    )
    say("")
    say(results["verdict"])
    say(f"report: {written[1]}")
    if not quiet:
        for line in results["warnings"]:
            warn(line)


def _approach_row(approach: dict[str, Any]) -> list[str]:
    from ..console import interval

    peak = approach["peak_memory_mb"]
    return [
        approach["name"],
        f"{100 * approach['accuracy']:.1f} %",
        interval(approach["ci95"]),
        f"{approach['log_loss']:.3f}",
        f"{approach['seconds']:.1f}",
        "–" if peak is None else f"{peak:,.0f}",
        f"{approach['trainable_parameters']:,}",
    ]
