"""The shared options of the commands as keyword arguments, and what they make."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeAlias, TypedDict, TypeVar

from ..cache import cache_folder
from ..extract.images.images import Dataset
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


def source_of(options: FeatureOptions, dataset: Dataset | None = None) -> FeatureSource:
    """Return what the options ask for.

    Raises
    ------
    OptionError
        If a value cannot be.
    TypeError
        If there is no such option.
    """
    return feature_source(*_read(options), dataset)


def execution_of(options: ModelOptions | FeatureOptions) -> Execution:
    """Return how to run, of the options of a saved classifier; the errors are the same."""
    return _read(options)[1]


def recipe_of(options: FeatureOptions) -> Recipe:
    """Return what to compute; the errors are the same."""
    return _read(options)[0]


def _read(options: Mapping[str, Any]) -> tuple[Recipe, Execution]:
    known = [{field.name for field in fields(kind)} for kind in (Recipe, Execution)]
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
    recipe, execution = ({name: given[name] for name in names & set(given)} for names in known)
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
