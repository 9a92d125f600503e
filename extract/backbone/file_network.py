"""A network in a file: one row behind the same interface as the table's, whatever wrote the file.

Its name is its hash, so that a renamed file finds its features and an edited one never does. What
was declared of it with options is kept under the hash (:mod:`.facts`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...cache.spec import FeatureSpec
from ...errors import WeightsError
from .backbone import Backbone
from .facts import keep_record, read_record
from .network_file import KINDS, NetworkFile, kind_of, open_file
from .preprocessing import RAW, Declared, Preprocessing, Settings, beside, bound, resize_rule


@dataclass(frozen=True, slots=True, kw_only=True)
class FileNetwork(Backbone):
    """A network in a file, bound to its preprocessing."""

    kind: str  # a row of KINDS
    file: Path
    sha256: str  # of all that the file holds
    bound: Preprocessing
    rule: str  # the resize rule that images come to its size by
    free: bool  # takes images of any size

    @property
    def graph(self) -> str:
        """``"keras"``, or ``"onnx"``, which nothing can train."""
        return KINDS[self.kind].graph

    @property
    def reference(self) -> str:
        """What ``--backbone`` takes for it."""
        return f"{KINDS[self.kind].prefix}{self.file}"

    def takes(self, side: int) -> bool:
        """Tell whether images of another size than its own can go in."""
        return side == self.input_size[0] or self.free

    def resize_rule(self, wanted: str) -> str:
        """Return the rule that belongs to the network; another one only where it is named."""
        return self.rule if wanted == "crop" else wanted

    @property
    def preprocessing(self) -> str:
        """What is done to pixels, as JSON."""
        return self.bound.to_json()

    def preprocess(self, images: Any) -> Any:
        """Scale pixels, float32 in 0 to 255, RGB, as was declared."""
        return self.bound(images)

    def find_weights(self, weights: str) -> Path:
        """Return the file itself."""
        del weights
        return self.file

    def digest(self, weights: Path) -> str:
        """Return the hash that it was read with."""
        del weights
        return self.sha256

    def build(self) -> Any:
        """Return the Keras network, randomly initialised; an ONNX file has none."""
        return KINDS[self.kind].build(self.file, self.input_size[0])

    def load(self, weights: Path) -> Any:
        """Return the Keras network with its weights; an ONNX file has none."""
        return KINDS[self.kind].load(weights, self.input_size[0])


def bind(file: NetworkFile, settings: Settings) -> FileNetwork:
    """Return the row of a file, bound to preprocessing.

    Raises
    ------
    WeightsError
        If its size or how pixels are prepared is not known, or it takes other images.
    """
    facts = file.facts()
    side = facts.side or settings.get("side")
    if side is None:
        raise WeightsError(f"{file.path} takes images of any size: add --input-size N")
    if settings.get("side", side) != side:
        raise WeightsError(
            f"{file.path} takes images of {side} x {side} pixels, not {settings['side']}: "
            f"--input-size {side}, or another file"
        )
    sized = facts if facts.side else file.facts(side)
    return FileNetwork(
        name=file.name,
        input_size=(side, side),
        layer=facts.layer,
        dimension=sized.channels(facts.layer),
        parameters=facts.parameters,
        activation_mb=sized.activation_mb,
        multiply_adds=sized.multiply_adds,
        kind=file.kind,
        file=file.path,
        sha256=file.sha256,
        bound=bound(settings, file.path),
        rule=resize_rule(settings),
        free=facts.side is None,
    )


def find_file_network(
    reference: str,
    weights: str = "imagenet",
    declared: Declared | None = None,
    side: int | None = None,
) -> FileNetwork:
    """Return the row of a network in a file, bound to its preprocessing.

    Parameters
    ----------
    reference, weights : str
        See :func:`open_file`.
    declared : Declared, optional
        What options say, kept for the next time; what a spec says, for a spec's backbone.
    side : int, optional
        In pixels, where the network takes any.

    Raises
    ------
    OptionError
        If options cannot be.
    WeightsError
        If the file cannot be used, or how pixels are prepared is not known.
    """
    file = open_file(reference, weights)
    typed = declared.settings() if declared is not None else {}
    sized = {} if side is None else {"side": side}
    if kind_of(reference) is None and typed:
        return bind(file, typed | sized)
    facts, record = file.facts(), read_record(file.sha256)
    own = beside(file.path) | (RAW if facts.raw else {}) | facts.settings
    kept = record.get("settings", {}) | typed
    if "side" not in own and facts.side is None:
        kept |= sized
    row = bind(file, own | kept | sized)
    if kind_of(reference) is not None:
        keep_record(file.sha256, record | {"settings": kept})
    return row


def file_network_of(spec: FeatureSpec, weights: Path | None = None) -> FileNetwork:
    """Return the row that a spec was made with: its preprocessing is the spec's, not today's.

    Parameters
    ----------
    spec : FeatureSpec
        Of a network in a file.
    weights : Path, optional
        Its file; where it was seen last when None.

    Raises
    ------
    WeightsError
        If the file is gone or another.
    """
    file = open_file(spec.backbone, "imagenet" if weights is None else str(weights))
    settings = json.loads(spec.preprocessing) | {"side": spec.input_size[0]}
    return replace(bind(file, settings), rule=spec.resize)
