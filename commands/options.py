"""The options that commands share, each declared once; those of the library's dataclasses in a table.

A row of :data:`OPTIONS` is all it takes: commands of its groups show it in ``--help``, and what is
typed arrives in the field that it fills.
"""

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_origin

import typer

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A folder (one sub-folder a class, or train/ and validation/ or test/ holding those), "
        "a CSV manifest with the columns path,label[,split,group], or WebDataset, Parquet or "
        "TFRecord shards; a path, a URL (s3://, gs://, https://) or a pattern of shards.",
    ),
]
Model = Annotated[
    Path,
    typer.Argument(metavar="MODEL", help="What 'fit head --out' or 'fit finetune --out' wrote."),
]
Columns = Annotated[
    str | None,
    typer.Option(
        metavar="OURS=THEIRS,…",
        help="A manifest's columns, such as path=filename,label=class. Default: the usual names.",
    ),
]


def _failure_limit(text: str) -> str:
    from ..extract.failures import check_limit

    check_limit(text)
    return text


MaxFailures = Annotated[
    str | None,
    typer.Option(
        parser=_failure_limit,  # before anything is read
        metavar="N|P%",
        help="Exit 1 when more images fail. Default: when all do.",
    ),
]


def _gate(text: str) -> Any:
    from ..classify.statistics.gates import read_gate

    return read_gate(text)


Assert = Annotated[
    list[Any] | None,
    typer.Option(
        "--assert",
        parser=_gate,
        metavar="METRIC>=X",
        help="Exit 3 unless this metric, or an end of its 95 % interval (accuracy.ci.low>=0.9), "
        "comes to that; repeat for several.",
    ),
]


def _tracker(text: str) -> Any:
    from ..api.tracking import find_tracker

    return find_tracker(text)


Track = Annotated[
    Any,
    typer.Option(
        parser=_tracker,  # before anything is read
        metavar="TRACKER[:PLACE]",
        help="Also keep options, figures and the report with mlflow or tensorboard; PLACE is a "
        "server's URI or a folder.",
    ),
]
PartOfAll = Annotated[
    str | None,
    typer.Option(
        "--part",
        metavar="I/N",
        help="Take this one of N parts of the images alone, as a job of a batch system's array: "
        "images that are added later move no other.",
    ),
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
Embed = Annotated[
    bool,
    typer.Option("--embed", help="Put the backbone's file into the classifier's, to travel."),
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
        help="What fine-tuning may cost: quick (2 minutes of two cores), standard (7.5), thorough "
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


@dataclass(frozen=True)
class SharedOption:
    """A row of the table of shared options.

    Parameters
    ----------
    name : str
        Of the parameter; ``batch_size`` is typed ``--batch-size``.
    type : type
        Of the value; with a ``typer.Option`` of its own, ``help`` and ``least`` are that one's.
    default : object
        Where nothing is typed; the field's own default then holds.
    help : str
        What ``--help`` says.
    fills : str
        A field of :class:`headstart.extract.recipe.Recipe` or ``Execution``, or of
        :class:`headstart.extract.backbone.preprocessing.Declared`.
    groups : tuple of str
        Of commands that take it: :data:`FEATURES` and those below it.
    least, most : int, optional
        The smallest and the largest number that is taken.
    metavar : str, optional
        What ``--help`` shows in place of the type.
    repeated : str, optional
        The help where it may be repeated, once for each backbone.
    """

    name: str
    type: Any
    default: Any
    help: str
    fills: str
    groups: tuple[str, ...]
    least: int | None = None
    most: int | None = None
    metavar: str | None = None
    repeated: str | None = None

    def parameter(self, *, several: bool) -> inspect.Parameter:
        """Return it as a parameter of a command that takes one backbone or several."""
        kind, default, text = self.type, self.default, self.help
        if several and self.repeated is not None:
            kind, default, text = list[str] | None, None, self.repeated
        if get_origin(kind) is not Annotated:
            kind = Annotated[
                kind, typer.Option(help=text, min=self.least, max=self.most, metavar=self.metavar)
            ]
        way = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return inspect.Parameter(self.name, way, default=default, annotation=kind)


FEATURES = "features"  # of one recipe
BACKBONES = "backbones"  # of one recipe or several
RANKED = "ranked"  # of several recipes, or of none at all
RUNNING = "running"  # of a saved model, here or on a cluster
MACHINE = "machine"  # of a saved model, here
SEVERAL = (BACKBONES, RANKED)
RECIPES = (FEATURES, *SEVERAL)
CLUSTERS = (FEATURES, BACKBONES, RUNNING)
ALL = (*RECIPES, RUNNING, MACHINE)

# In the order of --help.
OPTIONS = (
    SharedOption(
        "backbone",
        str,
        "mobilenet",
        "mobilenet, vgg16 or another: see 'extract list'; or a network's FILE.onnx.",
        "backbone",
        RECIPES,
        repeated="mobilenet, vgg16, another or a FILE.onnx; repeat to compare several.",
    ),
    SharedOption(
        "weights",
        str,
        "imagenet",
        "'imagenet' or a Keras weights file.",
        "weights",
        ALL,
        repeated="'imagenet' or a Keras weights file; repeat, one for each backbone.",
    ),
    SharedOption(
        "layer",
        list[str] | None,
        None,
        "Layer to tap; repeat for several. auto: one a stage, chosen among by cross-validation. "
        "Default: the last.",
        "layers",
        RECIPES,
    ),
    SharedOption(
        "pooling",
        str,
        "avg",
        "Of maps: avg, max, avg+max or flatten; of tokens: cls (the first) or mean.",
        "pooling",
        RECIPES,
        repeated="Of maps: avg, max, avg+max or flatten; of tokens: cls (the first) or mean; one "
        "for all, or repeat, one for each backbone.",
    ),
    SharedOption(
        "resize",
        str,
        "crop",
        "crop, squash or pad to the backbone's input size.",
        "resize",
        RECIPES,
    ),
    SharedOption(
        "input_size",
        int | None,
        None,
        "Side in pixels that images are brought to; mobilenet and vgg16 take 96, 128, 160, 192, "
        "224, 256, 288 and 320. Default: the backbone's own.",
        "input_size",
        RECIPES,
        metavar="N",
    ),
    *(
        SharedOption(
            name,
            str | None,
            None,
            f"Of a network in a file: {text}.",
            name,
            RECIPES,
            metavar=metavar,
        )
        for name, metavar, text in (
            ("mean", "R,G,B", "taken from each scaled pixel, in the network's order; kept"),
            ("std", "R,G,B", "what that is divided by; kept"),
            ("scale", "X", "what pixels of 0 to 255 are multiplied by first, such as 1/255; kept"),
            ("channels", "ORDER", "rgb or bgr; kept"),
            ("interpolation", "NAME", "how images are resized: bilinear, bicubic, …; kept"),
            ("crop", "SHARE", "of the shorter side, seen; kept"),
        )
    ),
    SharedOption(
        "golden",
        tuple[str, str] | None,
        None,
        "Of a network in a file: an image and its features (these layers and pooling), which each "
        "start must come to; kept.",
        "golden",
        RECIPES,
        metavar="IMAGE FEATURES.npy",
    ),
    SharedOption(
        "backbone_file",
        str | None,
        None,
        "Where the network in a file lies here that the classifier was trained on; same as "
        "--weights. Default: where training found it.",
        "weights",
        (RUNNING, MACHINE),
        metavar="FILE",
    ),
    SharedOption(
        "views",
        str,
        "original",
        "original, flip, crop1 to crop99, with commas between.",
        "views",
        RECIPES,
    ),
    SharedOption(
        "precision",
        str,
        "float32",
        "float32; int8, bfloat16 (some CPUs) or float16 (GPUs): faster, and judged by the head.",
        "precision",
        RECIPES,
        repeated="float32, int8, bfloat16 or float16; one for all, or repeat, one for each "
        "backbone; a single backbone is taken in each.",
    ),
    SharedOption(
        "storage",
        str,
        "float32",
        "float32, or float16 for half the disk.",
        "storage",
        RECIPES,
    ),
    SharedOption(
        "bit_depth",
        int | None,
        None,
        "Bits used of images of 16 a channel. Default: what all their values fit into.",
        "bit_depth",
        RECIPES,
        least=8,
        most=16,
    ),
    SharedOption(
        "engine",
        str,
        "auto",
        "auto, onnxruntime or openvino (the CPU's, auto takes the faster) or tensorflow (the "
        "reference, the GPU's).",
        "engine",
        ALL,
    ),
    SharedOption(
        "batch_size",
        int | None,
        None,
        "Images a call. Default: by engine and memory.",
        "batch_size",
        ALL,
        least=1,
    ),
    SharedOption(
        "workers",
        int | None,
        None,
        "Threads that decode and run. Default: by cores and memory.",
        "workers",
        ALL,
        least=1,
    ),
    SharedOption(
        "max_pixels",
        int | None,
        None,
        "Refuse larger images. Default: 89,478,485, Pillow's own limit.",
        "max_pixels",
        ALL,
        least=1,
    ),
    SharedOption("cache", Cache, None, "", "cache", ALL),
    SharedOption(
        "backend",
        str,
        "local",
        "local, or worker processes of dask or ray: who fills the cache.",
        "backend",
        CLUSTERS,
    ),
    SharedOption(
        "address",
        str | None,
        None,
        "A running cluster's scheduler. Default: one is started on this machine.",
        "address",
        CLUSTERS,
    ),
    SharedOption(
        "shard_size",
        int | None,
        None,
        "Images a cluster's task. Default: up to 4,096, 4 tasks a worker or more.",
        "shard_size",
        CLUSTERS,
        least=1,
    ),
)


def takes(
    group: str, options: Iterable[SharedOption] = OPTIONS
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the shared options of its group; its ``options`` are those that were typed.

    They are the keyword arguments of :mod:`headstart.api`, by the field that each fills.

    Typer reads a function's signature, so the options are written into it, in the place of the
    first parameter that they make.
    """
    rows = [row for row in options if group in row.groups]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(command).parameters.values():
            if parameter.name == "options":
                parameters += [row.parameter(several=group in SEVERAL) for row in rows]
            else:
                parameters.append(parameter.replace(kind=parameter.POSITIONAL_OR_KEYWORD))
        signature = inspect.Signature(parameters)

        @functools.wraps(command)
        def run(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            typed = {row.name: bound.arguments.pop(row.name) for row in rows}
            picked = {
                row.fills: tuple(value) if isinstance(value, list) else value
                for row in rows
                if (value := typed[row.name]) not in (None, [], row.default)
            }
            return command(**bound.arguments, options=picked)

        run.__signature__ = signature  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        return run

    return decorate
