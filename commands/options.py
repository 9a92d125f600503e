"""The options that commands share, declared once."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..extract.source import FeatureOptions

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A folder (one sub-folder a class, or train/ and validation/ or test/ holding those), "
        "a CSV manifest with the columns path,label[,split,group], or WebDataset, Parquet or "
        "TFRecord shards; a path, a URL (s3://, gs://, https://) or a pattern of shards.",
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        metavar="OURS=THEIRS,…",
        help="A manifest's columns, such as path=filename,label=class. Default: the usual names.",
    ),
]
MaxFailures = Annotated[
    str | None,
    typer.Option(metavar="N|P%", help="Exit 1 when more images fail. Default: when all do."),
]
Seed = Annotated[int, typer.Option(min=0, help="Seeds folds, weights and order.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress, no warnings.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
License = Annotated[
    str | None,
    typer.Option(
        "--license",
        metavar="NAME",
        help="Of the saved classifier, for its card, such as mit or cc-by-4.0. Default: none yet.",
    ),
]
TrustJoblib = Annotated[
    bool,
    typer.Option(
        "--trust-joblib",
        help="Load a model of trees, whose file can run code. For files that you made yourself.",
    ),
]

Budget = Annotated[
    str,
    typer.Option(
        help="What fine-tuning may cost: quick (2.5 minutes of two cores), standard (7.5), thorough "
        "(60), or minutes. More of it tries more, and deeper."
    ),
]
Start = Annotated[
    list[str] | None,
    typer.Option(
        help="What fine-tuning starts from: head (the fitted one), random (head), scratch "
        "(nothing pretrained)."
    ),
]
BatchNorm = Annotated[
    list[str] | None, typer.Option(help="Of the layers that train: frozen or trained.")
]
LearningRate = Annotated[
    list[float] | None,
    typer.Option(help="Of AdamW, at the head; falls to 0 along half a cosine."),
]
Epochs = Annotated[
    int | None,
    typer.Option(min=1, help="Of a training at most. Default: by the budget."),
]

Weights = Annotated[str, typer.Option(help="'imagenet' or a Keras weights file.")]


def _cache_place(text: str) -> Path:
    from ..cache import cache_folder

    return cache_folder(text)


Cache = Annotated[
    Path | None,
    typer.Option(
        envvar="HEADSTART_CACHE",
        parser=_cache_place,
        metavar="DIR|URL",
        help="Where features are kept, such as s3://bucket/cache. Default: the user's cache folder.",
    ),
]
Engine = Annotated[
    str,
    typer.Option(help="auto, onnxruntime (the CPU's) or tensorflow (the reference, the GPU's)."),
]
BatchSize = Annotated[
    int | None, typer.Option(min=1, help="Images a call. Default: by engine and memory.")
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Threads that decode and run. Default: by cores and memory."),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(min=1, help="Refuse larger images. Default: 89,478,485, Pillow's own limit."),
]
Backend = Annotated[
    str, typer.Option(help="local, or worker processes of dask or ray: who fills the cache.")
]
Address = Annotated[
    str | None,
    typer.Option(help="A running cluster's scheduler. Default: one is started on this machine."),
]
ShardSize = Annotated[
    int | None,
    typer.Option(
        min=1, help="Images a cluster's task. Default: up to 4,096, 4 tasks a worker or more."
    ),
]


def machine_options(
    weights: Weights = "imagenet",
    engine: Engine = "auto",
    batch_size: BatchSize = None,
    workers: Workers = None,
    max_pixels: MaxPixels = None,
    cache: Cache = None,
) -> "FeatureOptions":
    """Return the options that say how to run on this machine."""
    from ..extract.decode.decode import MAX_PIXELS
    from ..extract.source import FeatureOptions

    return FeatureOptions(
        weights=weights,
        engine=engine,
        batch_size=batch_size,
        workers=workers,
        max_pixels=max_pixels or MAX_PIXELS,
        cache=cache,
    )


def running_options(
    weights: Weights = "imagenet",
    engine: Engine = "auto",
    batch_size: BatchSize = None,
    workers: Workers = None,
    max_pixels: MaxPixels = None,
    cache: Cache = None,
    backend: Backend = "local",
    address: Address = None,
    shard_size: ShardSize = None,
) -> "FeatureOptions":
    """Return the options that say how to run and where, not what to compute."""
    return replace(
        machine_options(weights, engine, batch_size, workers, max_pixels, cache),
        backend=backend,
        address=address,
        shard_size=shard_size,
    )


def feature_options(
    backbone: Annotated[
        str, typer.Option(help="mobilenet, vgg16 or another: see 'extract list'.")
    ] = "mobilenet",
    weights: Weights = "imagenet",
    layer: Annotated[
        list[str] | None,
        typer.Option(
            help="Layer to tap; repeat for several. auto: one a stage, chosen among by "
            "cross-validation. Default: the last."
        ),
    ] = None,
    pooling: Annotated[str, typer.Option(help="avg, max, avg+max or flatten.")] = "avg",
    resize: Annotated[
        str, typer.Option(help="crop, squash or pad to the backbone's input size.")
    ] = "crop",
    input_size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Side in pixels that images are brought to; mobilenet and vgg16 take 96, 128, "
            "160, 192, 224, 256, 288 and 320. Default: the backbone's own.",
        ),
    ] = None,
    views: Annotated[
        str, typer.Option(help="original, flip, crop1 to crop99, with commas between.")
    ] = "original",
    precision: Annotated[
        str, typer.Option(help="float32, bfloat16 (some CPUs) or float16 (GPUs).")
    ] = "float32",
    storage: Annotated[
        str, typer.Option(help="float32, or float16 for half the disk.")
    ] = "float32",
    bit_depth: Annotated[
        int | None,
        typer.Option(
            min=8,
            max=16,
            help="Bits used of images of 16 a channel. Default: what all their values fit into.",
        ),
    ] = None,
    engine: Engine = "auto",
    batch_size: BatchSize = None,
    workers: Workers = None,
    max_pixels: MaxPixels = None,
    cache: Cache = None,
    backend: Backend = "local",
    address: Address = None,
    shard_size: ShardSize = None,
) -> "FeatureOptions":
    """Return the options of everything that extracts features."""
    return replace(
        running_options(
            weights,
            engine,
            batch_size,
            workers,
            max_pixels,
            cache,
            backend,
            address,
            shard_size,
        ),
        backbone=backbone,
        layers=tuple(layer or ()),
        pooling=pooling,
        resize=resize,
        input_size=input_size,
        views=views,
        precision=precision,
        storage=storage,
        bit_depth=bit_depth,
    )


def several_backbones(
    backbone: Annotated[
        list[str] | None,
        typer.Option(help="mobilenet, vgg16 or another; repeat to compare several."),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="'imagenet' or a Keras weights file; repeat, one for each backbone."),
    ] = None,
    **rest: Any,
) -> "list[FeatureOptions]":
    """Return the options of what extracts features by one backbone or several.

    Raises
    ------
    OptionError
        If there are more or fewer weights than backbones.
    """
    from ..errors import OptionError

    backbones = backbone or ["mobilenet"]
    files = weights or ["imagenet"] * len(backbones)
    if len(files) != len(backbones):
        raise OptionError(
            f"{len(files)} --weights for {len(backbones)} --backbone: name one for each, in the "
            "same order ('imagenet' where no file is meant)"
        )
    pairs = zip(backbones, files, strict=True)
    return [feature_options(backbone=name, weights=file, **rest) for name, file in pairs]


def _with_the_rest_of(shared: Callable[..., Any], fewer: Callable[..., Any]) -> None:
    """Give ``fewer`` the options of ``shared`` that it does not declare itself."""
    own = dict(inspect.signature(fewer).parameters)
    own.pop("rest")
    signature = inspect.signature(shared)
    merged = [own.get(name, option) for name, option in signature.parameters.items()]
    fewer.__signature__ = signature.replace(parameters=merged)  # type: ignore[attr-defined]


_with_the_rest_of(feature_options, several_backbones)


def takes(shared: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options of ``shared``; its parameter ``options`` is what they make.

    Typer reads a function's signature, so the options are written into it.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        names = inspect.signature(shared).parameters
        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(command).parameters.values():
            if parameter.name == "options":
                parameters += names.values()
            else:
                parameters.append(parameter.replace(kind=parameter.POSITIONAL_OR_KEYWORD))
        signature = inspect.Signature(parameters)

        @functools.wraps(command)
        def run(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            picked = {name: bound.arguments.pop(name) for name in names}
            return command(**bound.arguments, options=shared(**picked))

        run.__signature__ = signature  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate
