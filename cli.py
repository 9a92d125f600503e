"""The command line: parse, call one function, print."""

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import __version__
from .errors import HeadstartError
from .options import (
    Cache,
    Data,
    Json,
    MaxFailures,
    Quiet,
    Seed,
    feature_options,
    running_options,
    takes,
)

if TYPE_CHECKING:
    from .extract.features import FeatureOptions

app = typer.Typer(
    name="headstart",
    help="Turn a folder of photographs into a classifier by transfer learning.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
extract_app = typer.Typer(help="Run the frozen backbone over images.", no_args_is_help=True)
fit_app = typer.Typer(help="Train classifiers.", no_args_is_help=True)
compare_app = typer.Typer(help="Compare approaches.", no_args_is_help=True)
app.add_typer(extract_app, name="extract")
app.add_typer(fit_app, name="fit")
app.add_typer(compare_app, name="compare")


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"headstart {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True),
    ] = False,
) -> None:
    """Turn a folder of photographs into a classifier by transfer learning."""
    _version(wanted=version)


@extract_app.command("features")
@takes(feature_options)
def extract_features(
    data: Data,
    *,
    options: "FeatureOptions",
    max_failures: MaxFailures = None,
    out: Annotated[
        Path | None, typer.Option(help="Also write one portable HDF5 table here.")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a frozen backbone once over every image and cache its features.

    Example: headstart extract features photographs/
    """
    from .console import print_json, say, stages, warn
    from .extract.dataset import read_dataset, shown
    from .extract.features import ensure_features, feature_source, load_features
    from .extract.pipeline import check_failures

    dataset = read_dataset(data)
    source = feature_source(options)
    paths = [image.path for image in dataset.images]
    store = source.store()
    with stages(quiet=quiet) as stage:
        extraction, warnings = ensure_features(paths, source, store, stage("extracting"))
    if out is not None:
        from .extract.table import write_table

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
                "dimension": store.dimension,
                "seconds": round(extraction.seconds, 3),
                "images_per_second": None if rate is None else round(rate, 1),
                "engine": extraction.engine,
                "device": extraction.device,
                "precision": source.spec.precision,
                "batch_size": source.plan.batch_size,
                "workers": source.plan.workers,
                "spec": {"id": source.spec.id, **asdict(source.spec)},
                "cache": str(source.cache),
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
        say(f"cache: {store.folder}")
        for failure in failed:
            say(f"failed: {failure['path']}: {failure['reason']}")
    if not quiet:
        for line in (*dataset.warnings, *warnings):
            warn(line)
    check_failures(extraction, max_failures)


@extract_app.command("list")
def extract_list(
    backbone: Annotated[
        str | None, typer.Argument(metavar="BACKBONE", help="Show this one's layers instead.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the backbones, or the layers of one that can be tapped.

    Example: headstart extract list vgg16
    """
    from .console import print_json, print_table, say
    from .extract.backbones import describe_backbones, describe_layers

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


@fit_app.command("head")
@takes(feature_options)
def fit_head_command(
    data: Data,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="auto (the fast ones), all, or any of centroid, gaussian-nb, knn, ridge, lda, "
            "logreg, linear-svm, svm, random-forest, mlp, dense, hist-gb; repeat for several. "
            "Default: logreg."
        ),
    ] = None,
    *,
    options: "FeatureOptions",
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
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Save the (best) classifier here.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a head on cached features, extracting what is missing, and evaluate it once.

    Example: headstart fit head photographs/ --model logreg --out photographs.headstart
    """
    from .classify.fit import fit_heads
    from .console import print_json, print_table, say, stages, warn
    from .extract.dataset import read_dataset
    from .extract.features import feature_source

    with stages(quiet=quiet) as stage:
        run = fit_heads(
            read_dataset(data),
            feature_source(options),
            model or ["logreg"],
            seed,
            stage,
            out=out,
            max_failures=max_failures,
            class_weight=class_weight,
            rule=rule,
        )
    records = run.records
    best = next(record for record in records if record["model"] == run.best)
    if not quiet:
        for line in run.warnings:
            warn(line)
    if as_json:
        several = {"heads": records, "best": run.best, "within_one_se": run.within_one_se}
        print_json({"version": 1, **(best if len(records) == 1 else several)})
        return
    print_table(
        ["head", "cross-validated", "accuracy", "95 % interval", "macro-F1", "log loss", "seconds"],
        [_head_row(record) for record in records],
    )
    evaluation = best["evaluation"]
    say(f"accuracy on the {evaluation['n']} images of the {evaluation['split']} split, used once")
    cheaper = [name for name in run.within_one_se if name != run.best]
    if cheaper:
        say(f"within one standard error of the best, cheapest first: {', '.join(cheaper)}")
    chosen = ", ".join(f"{name} = {value}" for name, value in best["params"].items())
    say(f"{best['model']}: {chosen}; {best['seconds']['features']:.1f} s for features")
    if out is not None:
        say(f"saved: {out}")


@compare_app.command("transfer-vs-finetune")
@takes(feature_options)
def compare_command(
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
    from .classify.compare import compare
    from .classify.finetune import FineTuneSettings
    from .classify.report import write_report
    from .console import print_json, print_table, say, stages, warn
    from .extract.dataset import read_dataset
    from .extract.features import feature_source

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


@app.command("predict")
@takes(running_options)
def predict_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="What 'fit head --out' wrote.")],
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Images and folders.")],
    top: Annotated[int, typer.Option(min=1, help="Classes to name an image.")] = 3,
    *,
    options: "FeatureOptions",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Label new images with a saved classifier.

    Example: headstart predict photographs.headstart holiday/ --top 1
    """
    from .classify.model import load
    from .classify.predict import predict
    from .console import print_json, print_table, stages, warn
    from .extract.dataset import shown

    classifier = load(model)
    with stages(quiet=quiet) as stage:
        predictions, failures = predict(classifier, paths, options, top, stage("predicting"))
    failed = [{"path": shown(f.path), "reason": f.reason} for f in failures]
    if as_json:
        documents = [
            {
                "path": shown(p.path),
                "label": p.top[0][0],
                "probability": p.top[0][1],
                "top": [{"label": name, "probability": value} for name, value in p.top],
            }
            for p in predictions
        ]
        print_json({"version": 1, "predictions": documents, "failed": failed})
    else:
        print_table(
            ["image", "label", "probability", "next"],
            [
                [shown(p.path), p.top[0][0], f"{p.top[0][1]:.3f}", _others(p.top[1:])]
                for p in predictions
            ],
        )
        if not quiet:
            for failure in failed:
                warn(f"{failure['path']}: {failure['reason']}")
    if not predictions:
        raise HeadstartError(f"none of the {len(failed)} images could be labelled")


@app.command("demo")
def demo_command(
    out: Annotated[Path, typer.Option(help="Folder for images and report.")] = Path(
        "headstart-demo"
    ),
    cache: Cache = None,
    quiet: Quiet = False,
) -> None:
    """Run the whole job on handwritten digits that come with the install, offline.

    Example: headstart demo
    """
    from .console import say
    from .demo import ABOUT, write_digits

    say(ABOUT)
    digits = write_digits(out / "digits")
    steps: list[tuple[str, Any]] = [
        (
            f"headstart extract features {digits}",
            lambda: extract_features(digits, cache=cache, quiet=quiet),
        ),
        (
            f"headstart fit head {digits} --model logreg --out {out / 'digits.headstart'}",
            lambda: fit_head_command(
                digits, cache=cache, out=out / "digits.headstart", quiet=quiet
            ),
        ),
        (
            (
                f"headstart compare transfer-vs-finetune {digits} --model logreg --model ridge "
                f"--epochs 2 --out {out / 'report'}"
            ),
            lambda: compare_command(
                digits,
                model=["logreg", "ridge"],
                epochs=2,
                cache=cache,
                out=out / "report",
                quiet=quiet,
            ),
        ),
    ]
    for line, step in steps:
        say(f"\n$ {line}")
        step()
    say(f"\nOpen {(out / 'report' / 'index.html').absolute()} in a browser.")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _interval(bounds: list[float]) -> str:
    return f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f} %"


def _head_row(record: dict[str, Any]) -> list[str]:
    cv, evaluation = record["cv"], record["evaluation"]
    return [
        record["model"],
        f"{100 * cv['mean']:.1f} ± {100 * cv['std']:.1f} %",
        f"{100 * evaluation['accuracy']:.1f} %",
        _interval(evaluation["ci95"]),
        f"{evaluation['macro_f1']:.3f}",
        f"{evaluation['log_loss']:.3f}",
        f"{record['seconds']['fit']:.1f}",
    ]


def _approach_row(approach: dict[str, Any]) -> list[str]:
    peak = approach["peak_memory_mb"]
    return [
        approach["name"],
        f"{100 * approach['accuracy']:.1f} %",
        _interval(approach["ci95"]),
        f"{approach['log_loss']:.3f}",
        f"{approach['seconds']:.1f}",
        "–" if peak is None else f"{peak:,.0f}",
        f"{approach['trainable_parameters']:,}",
    ]


def _others(top: list[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in top)


def main() -> None:
    """Run the command line; expected errors become one line and exit status 1."""
    try:
        app()
    except HeadstartError as error:
        from .console import fail

        fail(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        from .console import fail

        fail("interrupted; what was extracted is cached, the same command goes on from there")
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output, such as head, has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
