"""What a format of artefacts is: who writes it, in which programs it runs, what it says of itself."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...cache.spec import FeatureSpec
from ...extract.decode.decode import resize_views
from ...extract.decode.views import Pixels
from ..saved.load import SavedModel
from .about import About
from .graph import Graph

# An artefact once it is opened: images (n, height, width, 3), uint8, of one size to
# probabilities (n, k), float32, and label indices (n,), int64.
Classify = Callable[[Pixels], tuple[NDArray[np.float32], NDArray[np.int64]]]


@dataclass(frozen=True, slots=True)
class Writing:
    """What is to be written."""

    model: SavedModel
    graph: Graph
    quantize: str | None  # "dynamic", "int8" or None
    pixels: Sequence[Pixels]  # (height, width, 3): images to calibrate on, for "int8"
    about: About  # see `describe`


@dataclass(frozen=True, slots=True)
class Runtime:
    """A program that runs artefacts of a format."""

    name: str  # what it is called
    package: str  # what has to be installed, as pip calls it; its module has the same name with `_`
    open: Callable[[Path], Classify]  # path to `Classify`, as a program without headstart opens it
    trees: bool = True  # whether it runs trees, where the format holds them
    integers: bool = True  # whether it rounds a network in 8 bits where headstart's engine does

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def installed(self) -> bool:
        """Whether it can be tried here."""
        return importlib.util.find_spec(self.package.replace("-", "_")) is not None

    @property
    def version(self) -> str:
        """Of the package that is installed."""
        return metadata.version(self.package)


@dataclass(frozen=True, slots=True)
class Format:
    """One row of the table of formats."""

    name: str  # what `--format` takes
    # of files that are in it; empty for a folder, None where the format has to be named
    ending: str | None
    write: Callable[[Writing, Path], int]  # writing and path to the bytes that it takes in float32
    annotate: Callable[[Path, About], None]  # path and `about`: says in the artefact what it is
    read_about: Callable[[Path], About]  # path to what `annotate` wrote
    # an artefact is tried in each that is installed; the first has to be
    runtimes: tuple[Runtime, ...]
    trees: bool = False  # whether it can hold trees
    quantizes: bool = True  # whether `--quantize` works
    fixed: bool = False  # whether images have to come one by one and at the backbone's input size

    def open(self, path: Path, spec: FeatureSpec, runtime: Runtime | None = None) -> Classify:
        """Open an artefact so that it takes images of any size, in its first runtime by default."""
        classify = (runtime or self.runtimes[0]).open(path)
        if not self.fixed:
            return classify

        def at_input_size(images: Pixels) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
            answers = [
                classify(resize_views(image, spec.input_size, spec.resize, ("original",), b""))
                for image in images
            ]
            probabilities, labels = zip(*answers, strict=True)
            return np.concatenate(probabilities), np.concatenate(labels)

        return at_input_size


def runtimes_of(row: Format, graph: Graph) -> tuple[Runtime, ...]:
    """Return the runtimes of a format that are installed, and run what is in the graph."""
    return tuple(
        runtime
        for runtime in row.runtimes
        if runtime.installed
        and (runtime.trees or graph.whole)
        and (runtime.integers or graph.below is None)
    )


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size
