"""The search's winner, trained on all training images, calibrated and evaluated once."""

from __future__ import annotations

import copy
import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...extract.backbone.loading import load_keras
from ...extract.source import FeatureSource
from ...progress import note, stage
from ..data.table import Table
from ..fit.fit_head import FittedHead, fit_head
from ..heads.fits import open_fits
from ..heads.formulas import softmax
from ..heads.search import fit_calibrated
from ..heads.table import PROBE
from ..heads.training_rows import training_data
from ..network.epoch_maps import EpochMaps
from ..network.upper import weight_change
from ..saved.linear_layer import linear_layer
from ..saved.network_model import TunedModel
from ..saved.trained_on import marks_of
from ..statistics.metrics import EvaluationDocument, evaluate
from .checkpoint import checkpoints
from .epochs import BATCH, predict_logits
from .search import Search, Trial, search
from .settings import STARTS, FineTuneSettings
from .trainer import Compiled, Linear, Rows, Trainer


@dataclass(frozen=True)
class FineTunedResult:
    """A fine-tuned network, chosen, trained on all training images and evaluated.

    Parameters
    ----------
    name : str
        For print.
    search : Search
        What was tried on held-out images; its best trial is what was trained.
    head : FittedHead
        Of its features, all layers frozen: to start from and to compare with.
    probabilities : ndarray, shape (n evaluation, k)
        On the evaluation split.
    evaluation : EvaluationDocument
        Their metrics.
    moved : dict
        Block to ‖after − before‖ / ‖before‖ of its weights.
    temperature : float
        Fitted on the held-out images of the best trial; the head's own where that was kept.
    seconds : dict
        Wall time of ``search`` and of the last ``training``, with that of the epochs which
        this run took over from one that was killed.
    boundary : dict
        ``layer``, ``dimension``, ``storage`` and ``bytes_written`` of the maps.
    trainable_parameters, training_images : int
        Numbers that training could move; images it saw.
    model : TunedModel
        What can be saved.
    diverged : str or None
        What went wrong, where the best trial or the last training was stopped for it.
    """

    name: str
    search: Search
    head: FittedHead
    probabilities: NDArray[np.float64]
    evaluation: EvaluationDocument
    moved: dict[str, float]
    temperature: float
    seconds: dict[str, float]
    boundary: dict[str, Any]
    trainable_parameters: int
    training_images: int
    model: TunedModel
    diverged: str | None

    @property
    def best(self) -> Trial:
        """The trial that was chosen."""
        return self.search.best


def fine_tune_dataset(
    table: Table, source: FeatureSource, settings: FineTuneSettings
) -> FineTunedResult:
    """Search on held-out images, train the winner on all training images, evaluate once.

    What is frozen is computed once and cached. The number of steps and the temperature are
    those that held-out images chose; the last training sees these images, too.

    Parameters
    ----------
    table : Table
        From :func:`headstart.classify.data.table.load_table`.
    source : FeatureSource
        The head's features: backbone, weights, tapped layers, pooling.
    settings : FineTuneSettings
        What the search chooses among, and its budget.

    Raises
    ------
    OptionError
        If the depths cannot be.
    DataError, CacheError
        If an image or the cache fails meanwhile.
    """
    load_keras().utils.set_random_seed(settings.seed)
    stage(f"head {PROBE.name}, to start fine-tuning from")
    probe = fit_head(PROBE, table, settings.seed)
    folder = checkpoints(source.cache, _identity(table, source, settings))
    _tell_resumption(folder, settings)
    begin = time.perf_counter()
    trainer = Trainer(table, source, settings, folder)
    searched = search(trainer, _head_fitter(probe, table, settings.seed))
    middle, before = time.perf_counter(), trainer.seconds_before
    refitted = _refit(trainer, searched.best, probe)
    end = time.perf_counter()
    shutil.rmtree(folder, ignore_errors=True)
    result = _result(refitted, searched, probe, trainer)
    seconds = {
        "search": middle - begin + before,
        "training": end - middle + trainer.seconds_before - before,
    }
    return replace(result, seconds=seconds)


@dataclass(frozen=True)
class _Refitted:
    """The winner after its training on all training images."""

    compiled: Compiled
    maps: EpochMaps
    before: dict[str, list[NDArray[np.float32]]]
    diverged: str | None


def _refit(trainer: Trainer, best: Trial, probe: FittedHead) -> _Refitted:
    """Train the winner on all training images for as many steps as held-out images chose."""
    count = len(trainer.table.split.fitting)
    compiled = trainer.compiled(best.candidate)
    head = None
    if best.candidate.start == "head":
        head = _linear(probe.estimator)
    compiled.restart(head, trainer.settings.seed)
    before = compiled.upper.values()
    position, _ = trainer.train(
        best.candidate,
        best.epochs,
        np.arange(count),
        np.empty(0, dtype=np.intp),
        head,
        until=best.epoch,
        steps=best.steps,
    )
    diverged = best.diverged or position.diverged
    return _Refitted(compiled, trainer.maps(best.candidate), before, diverged)


def _result(
    refitted: _Refitted, searched: Search, probe: FittedHead, trainer: Trainer
) -> FineTunedResult:
    """Evaluate what was trained, once."""
    table, best, upper = trainer.table, searched.best, refitted.compiled.upper
    kept = best.epoch == 0 and best.candidate.start == "head"
    temperature = probe.estimator.temperature_ if kept else best.judged.temperature
    logits = predict_logits(upper, refitted.maps.evaluation(), BATCH)
    probabilities = softmax(logits / temperature)
    name = f"fine-tuned from {refitted.compiled.depth.name}{STARTS[best.candidate.start]}"
    fitting = table.split.fitting
    return FineTunedResult(
        name=name,
        search=searched,
        head=probe,
        probabilities=probabilities,
        evaluation=evaluate(table.y[table.split.evaluation], probabilities, table.split.name),
        moved=weight_change(upper.by_block(refitted.before), upper.by_block(upper.values())),
        temperature=temperature,
        seconds={},
        boundary=refitted.maps.describe(),
        trainable_parameters=sum(int(np.prod(w.shape)) for w in upper.model.trainable_weights),
        training_images=len(fitting),
        model=TunedModel(
            name=name,
            classes=table.classes,
            spec=refitted.maps.spec,
            features=refitted.compiled.source.spec,
            weights=trainer.source.recipe.named_weights,
            arrays=[weight.numpy() for weight in upper.model.weights],
            temperature=temperature,
            record={},
            trained_on=marks_of(table.features.digests[row] for row in fitting),
        ),
        diverged=refitted.diverged,
    )


def _head_fitter(probe: FittedHead, table: Table, seed: int) -> Callable[[Rows], Linear]:
    """Return what fits the chosen head on some of the training rows.

    A head that had seen the held-out images would look perfect on them at epoch 0, and no
    epoch of fine-tuning could look better.
    """
    kept: dict[bytes, Linear] = {}

    def fit(rows: Rows) -> Linear:
        key = rows.tobytes()
        if key not in kept:
            training = training_data(table, table.split.fitting[rows], seed)
            kept[key] = _linear(fit_calibrated(probe.choice, open_fits(PROBE, training)).estimator)
        return kept[key]

    return fit


def _linear(estimator: Any) -> Linear:
    """Return a head as a layer, without its temperature: training sharpens it by itself."""
    plain = copy.copy(estimator)
    plain.temperature_ = 1.0
    return linear_layer(plain)


def _identity(table: Table, source: FeatureSource, settings: FineTuneSettings) -> dict[str, Any]:
    """Return everything that decides how a search goes."""
    data = hashlib.sha256()
    for row in table.split.fitting:
        label = table.classes[table.y[row]].encode("utf-8", "surrogateescape")
        data.update(table.features.digests[row] + len(label).to_bytes(4, "big") + label)
        data.update(int(table.groups[row]).to_bytes(8, "big"))
    return {
        "data": data.hexdigest(),
        "spec": source.spec.to_json(),
        "keras": load_keras().__version__,  # which decides the order of a network's variables
        **settings.to_dict(),
    }


def _tell_resumption(folder: Path, settings: FineTuneSettings) -> None:
    begun = len(list(folder.glob("*.npz")))
    if settings.resume and begun:
        note(f"resuming: {begun} trainings of this search were begun before")
    elif settings.resume:
        note("nothing to resume: this search has no checkpoint, it begins anew")
    elif begun:
        note("this search was begun before: --resume would go on where it stood")
