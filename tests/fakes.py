"""What stands in for a network and for a terminal: deterministic, quick, and they count."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np
import pytest

from headstart.extract.engine import open_engine
from headstart.extract.engine.open_engine import MAKERS, EngineRequest
from headstart.extract.source import FeatureSource


class FakeEngine:
    """Mean colour of each quarter: quick, separable, exact. Counts what it is asked.

    A mean of bytes is a whole number, exact in float64, divided once: the same to the bit in
    any batch, thread or process.
    """

    name = "fake"
    device = "cpu"
    widths = (12,)
    notes = ()
    calls = 0
    images = 0

    def __init__(self, wanted=None):
        self.wanted = wanted

    def __call__(self, images):
        type(self).calls += 1
        type(self).images += len(images)
        half = images.shape[1] // 2
        quarters = [images[:, y : y + half, x : x + half] for y in (0, half) for x in (0, half)]
        return np.concatenate([q.mean(axis=(1, 2)) for q in quarters], axis=1, dtype=np.float32)


@contextlib.contextmanager
def engines_made_by(make, **by_name):
    """Have every engine of this process, or each by its name, made by what gets an EngineRequest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(open_engine, "quickest", lambda makers, *_: next(iter(makers.values()))())
        for name in MAKERS:
            patch.setitem(MAKERS, name, by_name.get(name, make))
        yield


@dataclass(frozen=True)
class Bringing(FeatureSource):
    """Brings its engine along to other processes, where the table of engines is ours."""

    make: type = FakeEngine

    def _open(self):
        return self.make(EngineRequest(self.spec, self.weights, self.cache))


def bringing(source, make=FakeEngine):
    """Return the same source, with an engine that it brings along."""
    parts = (source.recipe, source.execution, source.spec, source.weights, source.cache)
    return Bringing(*parts, source.plan, make=make)


class Listening:
    """Writes down the stages that begin, each (done, total) of theirs, and the notes."""

    def __init__(self):
        self.stages, self.progress, self.notes = [], [], []

    def stage(self, name):
        self.stages.append(name)
        return lambda done, total, note="": self.progress.append((done, total))

    def note(self, line):
        self.notes.append(line)


def pretended_network(candidates=6, epochs=6):
    """Return what stands in for fine-tuning: a nearest-neighbour head that calls itself a network."""
    from dataclasses import replace

    from headstart.classify.compare.approaches import Approach, head_approach
    from headstart.classify.heads.table import HEADS
    from headstart.progress import stage

    name = "fine-tuned from block"

    def make(source):
        head = head_approach(HEADS["knn"], 0)

        def run(table, source):
            tell = stage(f"{name}, epochs")
            tell(1, 2)
            tell(2, 2)
            return replace(
                head.run(table, source),
                name=name,
                kind="finetune",
                history=[{"loss": loss, "val_loss": loss} for loss in (0.5, 0.3, 0.4)],
                candidates=candidates,
                epochs=epochs,
            )

        settings = {"candidates": [{"epochs": epochs}] * candidates}
        return Approach(name, "finetune", settings, run)

    return make
