"""The command line: parse, call one function, print."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import __version__
from .errors import HeadstartError

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

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="A folder (one sub-folder a class, or train/ and validation/ or test/ holding those) "
        "or a CSV manifest with the columns path,label[,split,group].",
    ),
]
Backbone = Annotated[str, typer.Option(help="mobilenet or vgg16.")]
Weights = Annotated[str, typer.Option(help="'imagenet' or a Keras weights file.")]
Layer = Annotated[
    list[str] | None, typer.Option(help="Layer to tap; repeat for several. Default: the last.")
]
Pooling = Annotated[str, typer.Option(help="avg, max, avg+max or flatten.")]
Resize = Annotated[str, typer.Option(help="crop, squash or pad to the backbone's input size.")]
Cache = Annotated[
    Path | None,
    typer.Option(
        envvar="HEADSTART_CACHE", help="Where features are kept. Default: the user's cache folder."
    ),
]
BatchSize = Annotated[int, typer.Option(min=1, help="Images a batch.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Threads that read and decode. Default: one a core.")
]
MaxFailures = Annotated[
    str | None,
    typer.Option(metavar="N|P%", help="Exit 1 when more images fail. Default: when all do."),
]
Seed = Annotated[int, typer.Option(min=0, help="Seeds folds, weights and order.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress, no warnings.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


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
def extract_features(
    data: Data,
    backbone: Backbone = "mobilenet",
    weights: Weights = "imagenet",
    layer: Layer = None,
    pooling: Pooling = "avg",
    resize: Resize = "crop",
    cache: Cache = None,
    batch_size: BatchSize = 32,
    workers: Workers = None,
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

    options = _options(backbone, weights, layer, pooling, resize, cache, batch_size, workers)
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
                "batch_size": batch_size,
                "spec": {"id": source.spec.id, **json.loads(source.spec.to_json())},
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
        say(f"cache: {store.folder}")
        for failure in failed:
            say(f"failed: {failure['path']}: {failure['reason']}")
    if not quiet:
        for line in (*dataset.warnings, *warnings):
            warn(line)
    check_failures(extraction, max_failures)


@fit_app.command("head")
def fit_head_command(
    data: Data,
    model: Annotated[
        list[str] | None,
        typer.Option(help="logreg, ridge, linear-svm, knn or dense; repeat for several."),
    ] = None,
    backbone: Backbone = "mobilenet",
    weights: Weights = "imagenet",
    layer: Layer = None,
    pooling: Pooling = "avg",
    resize: Resize = "crop",
    cache: Cache = None,
    batch_size: BatchSize = 32,
    workers: Workers = None,
    max_failures: MaxFailures = None,
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

    options = _options(backbone, weights, layer, pooling, resize, cache, batch_size, workers)
    with stages(quiet=quiet) as stage:
        records, warnings = fit_heads(
            read_dataset(data),
            feature_source(options),
            model or ["logreg"],
            seed,
            stage,
            out=out,
            max_failures=max_failures,
        )
    best = max(records, key=lambda record: float(record["cv"]["mean"]))
    if not quiet:
        for line in warnings:
            warn(line)
    if as_json:
        several = {"heads": records, "best": best["model"]}
        print_json({"version": 1, **(best if len(records) == 1 else several)})
        return
    print_table(
        ["head", "cross-validated", "accuracy", "95 % interval", "macro-F1", "log loss", "seconds"],
        [_head_row(record) for record in records],
    )
    evaluation = best["evaluation"]
    say(f"accuracy on the {evaluation['n']} images of the {evaluation['split']} split, used once")
    chosen = ", ".join(f"{name} = {value}" for name, value in best["params"].items())
    say(f"{best['model']}: {chosen}; {best['seconds']['features']:.1f} s for features")
    if out is not None:
        say(f"saved: {out}")


@compare_app.command("transfer-vs-finetune")
def compare_command(
    data: Data,
    model: Annotated[
        list[str] | None, typer.Option(help="Heads to compare; repeat. Default: all.")
    ] = None,
    backbone: Backbone = "mobilenet",
    weights: Weights = "imagenet",
    layer: Layer = None,
    pooling: Pooling = "avg",
    resize: Resize = "crop",
    cache: Cache = None,
    batch_size: BatchSize = 32,
    workers: Workers = None,
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
    from .classify.heads import HEADS
    from .classify.report import write_report
    from .console import print_json, print_table, say, stages, warn
    from .extract.dataset import read_dataset
    from .extract.features import feature_source

    options = _options(backbone, weights, layer, pooling, resize, cache, batch_size, workers)
    settings = FineTuneSettings(learning_rate=learning_rate, epochs=epochs, seed=seed)
    with stages(quiet=quiet) as stage:
        results = compare(
            read_dataset(data),
            feature_source(options),
            model or list(HEADS),
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
def predict_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="What 'fit head --out' wrote.")],
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Images and folders.")],
    top: Annotated[int, typer.Option(min=1, help="Classes to name an image.")] = 3,
    weights: Weights = "imagenet",
    cache: Cache = None,
    batch_size: BatchSize = 32,
    workers: Workers = None,
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
    from .extract.features import FeatureOptions

    options = FeatureOptions(weights=weights, cache=cache, batch_size=batch_size, workers=workers)
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


def _options(
    backbone: str,
    weights: str,
    layer: list[str] | None,
    pooling: str,
    resize: str,
    cache: Path | None,
    batch_size: int,
    workers: int | None,
) -> FeatureOptions:
    from .extract.features import FeatureOptions

    return FeatureOptions(
        backbone, weights, tuple(layer or ()), pooling, resize, cache, batch_size, workers
    )


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
