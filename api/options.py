"""The shared options of the commands as keyword arguments, and what they make."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeAlias, TypedDict, TypeVar, cast

from ..cache import cache_folder
from ..classify.data.split import training_images
from ..errors import OptionError
from ..extract.backbone.network_file import is_file
from ..extract.backbone.preprocessing import Declared
from ..extract.images.images import Dataset
from ..extract.photographs import Photographs
from ..extract.recipe import Execution, Recipe
from ..extract.source import FeatureSource, feature_source

T = TypeVar("T")
Place = str | os.PathLike[str]
Several: TypeAlias = (
    T | Sequence[T] | None
)  # one or several of what a command's repeated option takes


class ExecutionOptions(TypedDict, total=False):
    """How to run, and where features are kept: see :class:`headstart.extract.recipe.Execution`."""

    engine: str
    batch_size: int | None
    workers: int | None
    max_pixels: int
    cache: Place | None
    backend: str
    address: str | None
    shard_size: int | None


class ModelOptions(ExecutionOptions, total=False):
    """Of a saved classifier; ``weights`` where its backbone's file has moved."""

    weights: Place | None


class RecipeOptions(ExecutionOptions, total=False):
    """What to compute, but for the network: see :class:`headstart.extract.recipe.Recipe`."""

    layers: str | Sequence[str]
    pooling: str
    resize: str
    input_size: int | None
    views: str | Sequence[str]
    precision: str
    storage: str
    bit_depth: int | None
    mean: str | None  # these and what follows are of a network in a file:
    std: str | None  # see headstart.extract.backbone.preprocessing.Declared
    scale: str | None
    channels: str | None
    interpolation: str | None
    crop: str | None
    golden: tuple[str, str] | None


class FeatureOptions(RecipeOptions, total=False):
    """What to compute, and how to run."""

    backbone: str
    weights: Place


def several(given: Several[Any]) -> tuple[Any, ...]:
    """Return what was given, once or several times, as a tuple.

    Examples
    --------
    >>> several("vgg16"), several(["vgg16", "mobilenet"]), several(None)
    (('vgg16',), ('vgg16', 'mobilenet'), ())
    """
    if given is None:
        return ()
    if isinstance(given, Iterable) and not isinstance(given, str):
        return tuple(given)
    return (given,)


def networks(
    backbones: Sequence[str], weights: Sequence[Place], options: RecipeOptions
) -> list[FeatureOptions]:
    """Return the options of each backbone; what is declared of pixels is for those in files.

    A pooling or a precision alone is that of all; a backbone alone is taken in each precision.

    Raises
    ------
    OptionError
        If there are weights, poolings or precisions for some of them only.
    """
    precisions = several(options.get("precision", "float32"))
    if len(backbones) == 1:
        backbones, weights = [*backbones] * len(precisions), [*weights] * len(precisions)
    count = len(backbones)
    columns: dict[str, tuple[Any, ...]] = {
        "backbone": tuple(backbones),
        "weights": tuple(weights) or ("imagenet",) * count,
        "pooling": several(options.get("pooling", "avg")),
        "precision": precisions,
    }
    for name in ("pooling", "precision"):
        columns[name] = columns[name] * count if len(columns[name]) == 1 else columns[name]
    for name, given in columns.items():
        if len(given) != count:
            raise OptionError(
                f"{len(given)} --{name} for {count} --backbone: name one for each, in the "
                "same order ('imagenet' where no weights file is meant)"
            )
    declared = {field.name for field in fields(Declared)}
    table = {key: value for key, value in options.items() if key not in declared}
    return [
        cast(
            "FeatureOptions",
            {
                **(options if is_file(str(row[0])) else table),
                **dict(zip(columns, row, strict=True)),
            },
        )
        for row in zip(*columns.values(), strict=True)
    ]


def source_of(
    options: FeatureOptions, dataset: Dataset | Photographs | None = None
) -> FeatureSource:
    """Return what the options ask for.

    Raises
    ------
    OptionError
        If a value cannot be.
    TypeError
        If there is no such option.
    """
    if isinstance(dataset, Dataset):
        return feature_source(*_read(options), dataset, functools.partial(training_images, dataset))
    return feature_source(*_read(options), dataset)


def execution_of(options: ModelOptions | FeatureOptions) -> Execution:
    """Return how to run, of the options of a saved classifier; the errors are the same."""
    return _read(options)[1]


def recipe_of(options: FeatureOptions) -> Recipe:
    """Return what to compute; the errors are the same."""
    return _read(options)[0]


def _read(options: Mapping[str, Any]) -> tuple[Recipe, Execution]:
    kinds = (Recipe, Execution, Declared)
    known = [{field.name for field in fields(kind)} for kind in kinds]
    for name in options:
        if not any(name in names for names in known):
            raise TypeError(
                f"there is no option {name!r}; options: {', '.join(sorted(set().union(*known)))}"
            )
    given = {
        name: FORMS.get(name, _as_it_is)(value)
        for name, value in options.items()
        if value is not None
    }
    recipe, execution, declared = (
        {name: given[name] for name in names & set(given)} for names in known
    )
    if declared:
        recipe["declared"] = Declared(**declared)
    return Recipe(**recipe), Execution(**execution)


def _as_it_is(value: Any) -> Any:
    return value


def _views(value: str | Sequence[str]) -> str:
    return ",".join(several(value))


def _cache(value: Place) -> Path:
    return value if isinstance(value, Path) else cache_folder(value)


# Option → how its field takes what was given.
FORMS: dict[str, Callable[[Any], Any]] = {
    "layers": several,
    "views": _views,
    "weights": os.fspath,
    "cache": _cache,
}
