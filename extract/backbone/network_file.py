"""Where a network's file is, and which: found by its path, or by its hash where it was seen last."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import OptionError, WeightsError
from . import keras_file, kerashub, onnx_file
from .facts import Facts, keep_record, read_record, seen_files
from .weights import file_sha256

_NAME = re.compile(r"(\w+)-([0-9a-f]{12})")  # of a spec's backbone: kind and hash


@dataclass(frozen=True, slots=True)
class Kind:
    """A way of writing networks."""

    graph: str  # "keras", or "onnx"
    names: Callable[[str], bool]  # tells whether --backbone means one
    find: Callable[[str], Path]  # what --backbone says to the file
    digest: Callable[[Path], str]  # a file to the SHA-256 of all that it holds
    read_facts: Callable[[Path, int | None], Facts]  # for a side in pixels
    build: Callable[[Path, int], Any]  # the Keras network, randomly initialised
    load: Callable[[Path, int], Any]  # with its weights
    prefix: str = ""  # what stands before the file in --backbone


KINDS = {
    "onnx": Kind(
        graph="onnx",
        names=lambda reference: reference.lower().endswith(".onnx"),
        find=Path,
        digest=onnx_file.digest,
        read_facts=onnx_file.read_facts,
        build=onnx_file.build,
        load=onnx_file.build,
    ),
    "keras": Kind(
        graph="keras",
        names=lambda reference: reference.lower().endswith(".keras"),
        find=Path,
        digest=file_sha256,
        read_facts=keras_file.read_facts,
        build=keras_file.build,
        load=keras_file.load,
    ),
    "kerashub": Kind(
        graph="keras",
        names=lambda reference: reference.startswith(kerashub.PREFIX),
        find=kerashub.find,
        digest=kerashub.digest,
        read_facts=kerashub.read_facts,
        build=kerashub.build,
        load=kerashub.load,
        prefix=kerashub.PREFIX,
    ),
}


@dataclass(frozen=True, slots=True)
class NetworkFile:
    """A file with a network, found and hashed, not bound to any preprocessing yet."""

    kind: str  # a row of KINDS
    path: Path
    sha256: str  # of all that it holds
    name: str  # what the feature spec calls it

    def facts(self, side: int | None = None) -> Facts:
        """Return what is known of it, for images of a side; read once for each."""
        record = read_record(self.sha256)
        kept = record.setdefault("facts", {})
        if str(side) not in kept:
            kept[str(side)] = asdict(KINDS[self.kind].read_facts(self.path, side))
            keep_record(self.sha256, record)
        return Facts(**kept[str(side)])


def is_file(reference: str) -> bool:
    """Tell whether ``--backbone`` names a file, or a spec's backbone that came from one.

    Examples
    --------
    >>> [is_file(name) for name in ("dino.onnx", "onnx-0123456789ab", "vgg16")]
    [True, True, False]
    """
    named = _NAME.fullmatch(reference)
    return kind_of(reference) is not None or (named is not None and named[1] in KINDS)


def open_file(reference: str, weights: str = "imagenet") -> NetworkFile:
    """Find a network's file.

    Parameters
    ----------
    reference : str
        A file, or a spec's backbone.
    weights : str
        Of a spec's backbone: where its file was, or a network in 8 bits that was made of it.

    Raises
    ------
    OptionError
        If a file is given weights.
    WeightsError
        If it is not there, or not the one that is meant.
    """
    kind = kind_of(reference)
    if kind is not None:
        if weights != "imagenet":
            raise OptionError(
                f"--weights {weights}: {reference} brings its own, leave --weights out"
            )
        return _opened(kind, reference)
    kind, _, begins = reference.partition("-")
    if weights != "imagenet" and (kind_of(weights) or Path(weights).exists()):
        with contextlib.suppress(_AbsentError):
            found = _opened(kind_of(weights) or kind, weights)
            if reference not in (found.name, onnx_file.made_of(found.path)):
                raise WeightsError(
                    f"{weights} is {found.name}, the backbone {reference} is needed: name the "
                    "right file with --backbone-file FILE"
                )
            return replace(found, name=reference)
    for seen in seen_files(begins):
        with contextlib.suppress(_AbsentError):
            if (found := _opened(kind, seen)).name == reference:
                return found
    where = "" if weights == "imagenet" else f", once {weights},"
    raise WeightsError(
        f"the file of the backbone {reference}{where} is gone: name it with --backbone-file FILE; "
        f"its SHA-256 begins with {begins}"
    )


class _AbsentError(WeightsError):
    """There is no such file."""


def kind_of(reference: str) -> str | None:
    """Return which row of :data:`KINDS` a reference means a file of; None for a name."""
    return next((kind for kind, row in KINDS.items() if row.names(reference)), None)


def _opened(kind: str, reference: str) -> NetworkFile:
    path = KINDS[kind].find(reference)
    if not path.exists():
        raise _AbsentError(f"no backbone file {path}")
    file, place = _hashed(kind, path, _stamp(path)), str(path.absolute())
    record = read_record(file.sha256)
    if record.get("file") != place:
        keep_record(file.sha256, record | {"file": place})
    return file


@functools.lru_cache(maxsize=16)
def _hashed(kind: str, path: Path, _stamp: tuple[Any, ...]) -> NetworkFile:
    sha256 = KINDS[kind].digest(path)
    return NetworkFile(kind, path, sha256, f"{kind}-{sha256[:12]}")


def _stamp(path: Path) -> tuple[Any, ...]:
    """Return what changes when a file does, or one of a folder's."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files)
