"""What ``fit finetune`` and ``compare`` are told: what the search may choose among, and its limits."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from ...errors import OptionError, unknown
from ...extract.engine.choose import free_memory
from ..network.epoch_maps import AUGMENTS, Budget
from .budget import Level, find_level

MEMORY_SHARE = 0.5  # of what is free
STARTS = {  # what training starts from → how that is said behind the network's name
    "head": "",
    "random": ", random head",
    "scratch": ", random weights",
}
BATCH_NORMS = ("frozen", "trained")


@dataclass(frozen=True, slots=True)
class FineTuneSettings:
    """How to fine-tune: where something is named, the search chooses among what is named.

    Parameters
    ----------
    unfreeze : tuple of str
        How deep: blocks, layers, numbers of blocks from the top, ``"all"`` or ``"none"`` (the
        head alone); see :func:`headstart.classify.network.depths.find_depth`.
    start : tuple of str
        ``"head"``: the fitted head on the pretrained network; ``"random"``: a random head on it;
        ``"scratch"``: nothing pretrained.
    batch_norm : tuple of str
        Of the layers that train: ``"frozen"`` or ``"trained"``.
    learning_rate : tuple of float
        Of AdamW, at the head; it rises for an epoch at most and falls to 0 along half a cosine.
    augment : tuple of str
        ``"none"``; ``"views"``: as many seeded views as ``augment_views``, cached, another
        each epoch; ``"on-the-fly"``: a new view each epoch, computed from the image.
    layer_decay : float, optional
        The learning rate of each block is that of the one above it times this, over 0 to 1.
    weight_decay : float
        Decoupled, of kernels.
    label_smoothing : float
        Share of each label spread over all classes, from 0 to under 1.
    epochs : int, optional
        Of a training, at most; by the budget when None.
    folds : int
        Different eighths of the training images that judge each candidate, together.
    batch_size : int
        Images a step.
    augment_views : int
        Views an image with ``"views"``.
    budget : str
        ``"quick"``, ``"standard"``, ``"thorough"`` or minutes: see
        :mod:`headstart.classify.finetune.budget`.
    cache_budget : int, optional
        Bytes that boundary activations may take on the disk; half of what is free when None.
    memory_budget : int, optional
        Bytes that they may take in memory; half of what is free when None.
    resume : bool
        Go on from the last checkpoint of the same search.
    seed : int
        Draws the held-out images, random heads and the images' order.
    """

    unfreeze: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    batch_norm: tuple[str, ...] = ()
    learning_rate: tuple[float, ...] = ()
    augment: tuple[str, ...] = ()
    layer_decay: float | None = None
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    epochs: int | None = None
    folds: int = 1
    batch_size: int = 32
    augment_views: int = 4
    budget: str = "quick"
    cache_budget: int | None = None
    memory_budget: int | None = None
    resume: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for kind, named, valid in (
            ("start", self.start, STARTS),
            ("batch norm", self.batch_norm, BATCH_NORMS),
            ("augmentation", self.augment, AUGMENTS),
        ):
            for name in named:
                if name not in valid:
                    raise unknown(kind, name, list(valid))
        self.level()  # refuses an unknown budget
        for rate in self.learning_rate:
            if not rate > 0:
                raise OptionError(f"--learning-rate must be over 0, got {rate:g}")
        if self.layer_decay is not None and not 0 < self.layer_decay <= 1:
            raise OptionError(f"--layer-decay must be over 0, up to 1, got {self.layer_decay:g}")
        if not self.weight_decay >= 0:
            raise OptionError(f"--weight-decay must be 0 or more, got {self.weight_decay:g}")
        if not 0 <= self.label_smoothing < 1:
            raise OptionError(
                f"--label-smoothing must be from 0 to under 1, got {self.label_smoothing:g}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return what decides the result, for the record."""
        ways = ("cache_budget", "memory_budget", "resume")
        return {key: value for key, value in asdict(self).items() if key not in ways}

    def level(self) -> Level:
        """Return what the budget allows, of any images."""
        return find_level(self.budget, self.epochs)

    def limits(self) -> Budget:
        """Return what boundary maps may take."""
        memory = self.memory_budget or int(MEMORY_SHARE * free_memory())
        return Budget(self.cache_budget, memory)

    def named(self) -> dict[str, tuple[Any, ...]]:
        """Return the settings that were named, by the column of the table of candidates."""
        columns = ("unfreeze", "start", "batch_norm", "learning_rate", "augment")
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        chosen = {column: named[column] for column in columns if named[column]}
        if self.layer_decay is not None:
            chosen["layer_decay"] = (self.layer_decay,)
        return chosen
