"""``headstart fit``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..classify.heads.table import describe_heads
from .dataset import read_data
from .finetune import finetune
from .options import (
    FEATURES,
    Assert,
    Columns,
    Data,
    Json,
    License,
    MaxFailures,
    Quiet,
    Seed,
    takes,
)
from .rank import rank_features

if TYPE_CHECKING:
    from ..classify.fit.fit_heads import HeadsRun
    from ..classify.saved.records import HeadRecord
    from ..extract.recipe import Execution, Recipe

app = typer.Typer(help="Train classifiers.", no_args_is_help=True)
app.command("rank")(rank_features)
app.command("finetune")(finetune)


@app.command("head")
@takes(FEATURES)
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
    recipe: "Recipe",
    execution: "Execution",
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
    license_: License = None,
    gates: Assert = None,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a head on cached features, extracting what is missing, and evaluate it once.

    Example: headstart fit head photographs/ --model logreg --out photographs.headstart
    """
    from ..classify.data.sampling import draw_sample
    from ..classify.fit.fit_heads import HeadSettings, fit_heads
    from ..classify.statistics.gates import check_gates, check_measured
    from ..console import print_json, stages, warn_all
    from ..extract.source import feature_source

    check_measured(gates or [])
    dataset = draw_sample(read_data(data, columns, quiet=quiet), sample, seed)
    with stages(quiet=quiet):
        run = fit_heads(
            dataset,
            feature_source(recipe, execution, dataset),
            HeadSettings(model or ["logreg"], seed, class_weight, rule),
            out=out,
            licence=license_,
            max_failures=max_failures,
        )
    warn_all(run.warnings, quiet=quiet)
    if as_json:
        print_json(run.document())
    else:
        _print_heads(run)
    check_gates(gates or [], run.figures)


def _print_heads(run: "HeadsRun") -> None:
    from ..console import print_table, say

    best = run.best
    print_table(
        ["head", "cross-validated", "accuracy", "95 % interval", "macro-F1", "log loss", "seconds"],
        [_head_row(record) for record in run.records],
    )
    evaluation, taps = best["evaluation"], best["taps"]
    say(f"accuracy on the {evaluation['n']} images of the {evaluation['split']} split, used once")
    say("cross-validated: mean ± standard deviation over the folds")
    if cheaper := run.cheaper():
        say(f"cheaper and within one standard error of the best: {', '.join(cheaper)}")
    chosen = ", ".join(f"{name} = {value}" for name, value in best["params"].items())
    seen = f"{', '.join(taps['layers'])}, {taps['views']}"
    say(f"{best['model']} on {seen}: {chosen}; {best['seconds']['features']:.1f} s for features")
    if best["path"] is not None:
        say(f"saved: {best['path']}")
        say(f"model card: {best['card']}")


@app.command("learning-curve")
@takes(FEATURES)
def learning_curve(
    data: Data,
    model: Annotated[str, typer.Option(help="One head, see 'fit head'.")] = "logreg",
    seeds: Annotated[
        int, typer.Option(min=1, help="Subsets of each size. The largest is all images, once.")
    ] = 5,
    *,
    recipe: "Recipe",
    execution: "Execution",
    max_failures: MaxFailures = None,
    seed: Seed = 0,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show accuracy against images a class, and what doubling the data would bring.

    Example: headstart fit learning-curve photographs/
    """
    from ..classify.fit.learning_curve import learning_curve
    from ..console import interval, print_json, print_table, say, stages, warn_all
    from ..extract.source import feature_source

    dataset = read_data(data, columns, quiet=quiet)
    with stages(quiet=quiet):
        curve = learning_curve(
            dataset,
            feature_source(recipe, execution, dataset),
            model,
            seeds,
            seed,
            max_failures,
        )
    warn_all(curve["warnings"], quiet=quiet)
    if as_json:
        print_json(curve)
        return
    print_table(
        ["images a class", "images", "accuracy", "95 % interval", "subsets"],
        [
            [
                f"{point['images_a_class']:.3g}",
                f"{point['images']:,}",
                f"{100 * point['accuracy']:.1f} %",
                interval(point["ci95"]),
                str(point["seeds"]),
            ]
            for point in curve["points"]
        ],
    )
    evaluation = curve["evaluation"]
    say(f"{curve['model']} on the {evaluation['n']} images of the {evaluation['split']} split")
    say(curve["conclusion"])


def _head_row(record: "HeadRecord") -> list[str]:
    from ..console import interval

    cv, evaluation = record["cv"], record["evaluation"]
    return [
        record["model"],
        f"{100 * cv['mean']:.1f} ± {100 * cv['std']:.1f} %",
        f"{100 * evaluation['accuracy']:.1f} %",
        interval(evaluation["ci95"]),
        f"{evaluation['macro_f1']:.3f}",
        f"{evaluation['log_loss']:.3f}",
        f"{record['seconds']['fit']:.1f}",
    ]
