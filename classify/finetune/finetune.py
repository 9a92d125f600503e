"""Linear probe first, then fine-tuning: the head becomes the network's last layer."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, OptionError, unknown
from ...extract.backbone.backbones import find_backbone
from ...extract.backbone.loading import load_keras, load_tensorflow
from ...extract.engine.choose import free_memory
from ...extract.engine.network import computing_in
from ...extract.source import FeatureSource
from ...progress import note, stage
from ...text import shown
from ..data.folds import hold_out
from ..data.table import Table
from ..fit.fit_head import FittedHead, fit_head
from ..heads.calibration import fit_temperature
from ..heads.formulas import softmax
from ..heads.search import fit_calibrated
from ..heads.table import PROBE
from ..heads.training_rows import training_data
from ..network.depths import Depth, find_depths
from ..network.epoch_maps import Augmentation, Budget, EpochMaps, Parts
from ..network.kept_maps import Stream, boundary_source
from ..network.upper import Arrays, Network, Upper, weight_change
from ..saved.linear_layer import linear_layer
from ..saved.network_model import TunedModel
from ..saved.trained_on import marks_of
from ..statistics.metrics import Evaluation, evaluate
from .checkpoint import Checkpoint, Position
from .epochs import Examples, Pace, predict_logits, prepare, train

MEMORY_SHARE = 0.5  # of what is free
STARTS = {  # what training starts from → how that is said behind the network's name
    "head": "",
    "random": ", random head",
    "scratch": ", random weights",
}


@dataclass(frozen=True, slots=True)
class FineTuneSettings:
    """How to fine-tune.

    Parameters
    ----------
    unfreeze : tuple of str
        What moves, stage by stage: each a block, a layer, a number of blocks from the
        top, ``"all"`` or ``"none"`` (the head alone). The last block when empty.
    start : str
        ``"head"``: the fitted head on the pretrained network; ``"random"``: a random head
        on it; ``"scratch"``: nothing pretrained.
    learning_rate : float
        Of Adam, at the head; it falls to 0 along half a cosine.
    layer_decay : float
        The learning rate of each block is that of the one above it times this, 0 to 1.
    epochs : int
        Of each stage, at most; the number is chosen on images held out of training.
    patience : int
        Epochs without a better held-out log loss before a stage stops.
    weight_decay : float
        Decoupled, of kernels.
    label_smoothing : float
        Share of each label spread over all classes, from 0 to under 1.
    batch_size : int
        Images a step.
    augment : str
        ``"none"``; ``"views"``: as many seeded views as ``augment_views``, cached, another
        each epoch; ``"on-the-fly"``: a new view each epoch, computed from the image.
    augment_views : int
        Views an image with ``"views"``.
    cache_budget : int, optional
        Bytes that boundary activations may take on the disk; half of what is free when None.
    memory_budget : int, optional
        Bytes that they may take in memory; half of what is free when None.
    resume : bool
        Go on from the last checkpoint of the same run.
    seed : int
        Orders the images.
    """

    unfreeze: tuple[str, ...] = ()
    start: str = "head"
    learning_rate: float = 1e-5
    layer_decay: float = 1.0
    epochs: int = 6
    patience: int = 2
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    batch_size: int = 32
    augment: str = "none"
    augment_views: int = 4
    cache_budget: int | None = None
    memory_budget: int | None = None
    resume: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        self.augmentation()  # refuses an unknown kind
        if self.start not in STARTS:
            raise unknown("start", self.start, list(STARTS))
        if not self.learning_rate > 0:
            raise OptionError(f"--learning-rate must be over 0, got {self.learning_rate:g}")
        if not 0 < self.layer_decay <= 1:
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

    def augmentation(self) -> Augmentation:
        """Return which view an epoch sees."""
        return Augmentation(self.augment, self.augment_views)

    def budget(self) -> Budget:
        """Return what boundary maps may take."""
        memory = self.memory_budget or int(MEMORY_SHARE * free_memory())
        return Budget(self.cache_budget, memory)

    def pace(self) -> Pace:
        """Return what the training loop needs of it."""
        return Pace(**{name: getattr(self, name) for name in Pace.__dataclass_fields__})


@dataclass(frozen=True)
class FineTunedResult:
    """A fine-tuned network with its figures.

    Parameters
    ----------
    name : str
        For print, such as ``"fine-tuned from block5"``.
    unfreeze : list of str
        What moved, stage by stage.
    head : FittedHead
        The linear probe on all training images: the frozen head to compare with.
    probabilities : ndarray, shape (n evaluation, k)
        On the evaluation split.
    evaluation : Evaluation
        Their metrics.
    chosen_by : float
        Accuracy on the held-out training images after the epoch that was kept.
    history : list of dict
        ``stage``, ``epoch``, ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy`` and
        ``seconds``; epoch 0 of the first stage is the frozen head.
    epochs : int
        Epochs whose weights were kept, over all stages; 0 is the head it started from.
    moved : dict
        Block to ‖after − before‖ / ‖before‖ of its weights.
    temperature : float
        Fitted on the held-out images; 1 where the head was kept.
    seconds : float
        Wall time of training, the boundary's activations included.
    boundary : dict
        ``layer``, ``dimension``, ``storage`` and ``bytes_written`` of the last stage's maps.
    trainable_parameters, training_images, held_out_images : int
        Numbers that training could move; images it saw, and that chose the epoch.
    model : TunedModel
        What can be saved.
    diverged : str or None
        What went wrong, where training was stopped for it.
    """

    name: str
    unfreeze: list[str]
    head: FittedHead
    probabilities: NDArray[np.float64]
    evaluation: Evaluation
    chosen_by: float
    history: list[dict[str, Any]]
    epochs: int
    moved: dict[str, float]
    temperature: float
    seconds: float
    boundary: dict[str, Any]
    trainable_parameters: int
    training_images: int
    held_out_images: int
    model: TunedModel
    diverged: str | None


def fine_tune_dataset(
    table: Table, source: FeatureSource, settings: FineTuneSettings
) -> FineTunedResult:
    """Fit the linear probe, put it on the network, train stage by stage, evaluate once.

    Linear probe first, then fine-tuning (LP-FT, Kumar et al. 2022,
    arXiv:2202.10054): a random head would first spoil the features. What is
    frozen is computed once and cached. An eighth of the training images is
    held out; it chooses the number of epochs and the temperature, so the probe
    on the network is fitted without it.

    Parameters
    ----------
    table : Table
        From :func:`headstart.classify.data.table.load_table`.
    source : FeatureSource
        The head's features: backbone, weights, tapped layers, pooling.
    settings : FineTuneSettings
        What moves, and how.

    Raises
    ------
    OptionError
        If the depths cannot be.
    DataError, CacheError
        If an image or the cache fails meanwhile.
    """
    depths = find_depths(source, settings.unfreeze)
    load_keras().utils.set_random_seed(settings.seed)
    stage(f"head {PROBE.name}, to start fine-tuning from")
    probe = fit_head(PROBE, table, settings.seed)
    begin = time.perf_counter()
    parts = _parts(table, settings.seed)
    layer = None
    if settings.start == "head":
        layer = linear_layer(_refit(probe, table, parts.training, settings.seed))
    trained = _train_stages(depths, layer, table, parts, source, settings)
    temperature = _temperature(trained, table.y[parts.held_out], settings)
    logits = predict_logits(trained.upper, trained.maps.evaluation(), settings.batch_size)
    probabilities = softmax(logits / temperature)
    upper, history = trained.upper, trained.position.history
    name = f"fine-tuned from {trained.depth.name}{STARTS[settings.start]}"
    return FineTunedResult(
        name=name,
        unfreeze=[depth.name for depth in depths],
        head=probe,
        probabilities=probabilities,
        evaluation=evaluate(table.y[parts.evaluation], probabilities, table.split.name),
        chosen_by=trained.position.best(trained.position.stage)["val_accuracy"],
        history=history,
        epochs=trained.epochs,
        moved=weight_change(upper.by_block(trained.before), upper.by_block(upper.values())),
        temperature=temperature,
        seconds=time.perf_counter() - begin,
        boundary=trained.maps.describe(),
        trainable_parameters=sum(int(np.prod(w.shape)) for w in upper.model.trainable_weights),
        training_images=len(parts.training),
        held_out_images=len(parts.held_out),
        model=TunedModel(
            name=name,
            classes=table.classes,
            spec=trained.maps.spec,
            features=source.spec,
            weights=source.options.named_weights,
            arrays=[weight.numpy() for weight in upper.model.weights],
            temperature=temperature,
            record={},
            trained_on=marks_of(table.features.digests[row] for row in table.split.fitting),
        ),
        diverged=trained.diverged,
    )


@dataclass
class _Trained:
    """What is there after the last stage that ran."""

    depth: Depth
    upper: Upper
    maps: EpochMaps
    held: Stream
    position: Position
    before: dict[str, Arrays]  # layer to its weights as they were before any stage
    diverged: str | None

    @property
    def epochs(self) -> int:
        """Epochs whose weights were kept, over all stages."""
        stages = range(self.position.stage + 1)
        return sum(self.position.best(number)["epoch"] for number in stages)


def _train_stages(
    depths: list[Depth],
    layer: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
    table: Table,
    parts: Parts,
    source: FeatureSource,
    settings: FineTuneSettings,
) -> _Trained:
    """Train stage by stage, each from what the one before has learnt."""
    pace = settings.pace()
    checkpoint = Checkpoint.of(source.cache, _identity(table, parts, source, settings))
    position = _position(checkpoint, settings)
    strategy = _strategy()
    with strategy.scope():
        network = _network(table, source, pretrained=settings.start != "scratch")
        if layer is not None:
            network.set_head(*layer)
    before: dict[str, Arrays] = {}
    for number, depth in enumerate(depths):
        with strategy.scope():
            upper = network.above(depth.below)
            prepare(upper, pace, len(parts.training))
        before = upper.values() | before
        if position.stage > number:
            continue  # what this one learnt, the later one's checkpoint holds
        if position.stage < number:
            position.begin(number)
        maps = EpochMaps(
            boundary_source(source, depth.below),
            network.width(depth.below),
            table.paths,
            table.features.digests,
            parts,
            settings.augmentation(),
            settings.epochs,
            settings.budget(),
        )
        held = maps.held_out()
        examples = Examples(maps.training, table.y[parts.training], held, table.y[parts.held_out])
        tell = stage(f"fine-tuning from {depth.name}")
        diverged = train(upper, examples, pace, position, checkpoint.save, tell)
        if diverged is not None:
            break
    checkpoint.remove()
    return _Trained(depth, upper, maps, held, position, before, diverged)


def _temperature(trained: _Trained, y_held: NDArray[np.intp], settings: FineTuneSettings) -> float:
    """Calibrate on the images held out; the head's own calibration has seen more of them."""
    if not trained.epochs:
        return 1.0
    return fit_temperature(predict_logits(trained.upper, trained.held, settings.batch_size), y_held)


def _parts(table: Table, seed: int) -> Parts:
    fitting = table.split.fitting
    kept, held = hold_out(table.y[fitting], table.groups[fitting], seed)
    if not len(held):
        raise DataError(
            f"{shown(table.root)}: no class can spare an image to choose the number of epochs by: "
            "fine-tuning needs a class of at least 5 training images whose groups are each "
            "at most a quarter of it"
        )
    return Parts(fitting[kept], fitting[held], table.split.evaluation)


def _identity(
    table: Table, parts: Parts, source: FeatureSource, settings: FineTuneSettings
) -> dict[str, Any]:
    """Return everything that decides how a run goes."""
    data = hashlib.sha256()
    for rows in (parts.training, parts.held_out):
        for row in rows:
            label = table.classes[table.y[row]].encode("utf-8", "surrogateescape")
            data.update(table.features.digests[row] + len(label).to_bytes(4, "big") + label)
    return {
        "data": data.hexdigest(),
        "spec": source.spec.to_json(),
        "keras": load_keras().__version__,  # which decides the order of a network's variables
        **settings.to_dict(),
    }


def _position(checkpoint: Checkpoint, settings: FineTuneSettings) -> Position:
    """Return where the run stands: at its start unless it is to be resumed."""
    if not settings.resume:
        if checkpoint.path.exists():
            note("this run was begun before: --resume would go on after its last epoch")
        return Position()
    position = checkpoint.load()
    if position is None:
        note("nothing to resume: this run has no checkpoint, it begins anew")
        return Position()
    note(f"resuming after epoch {position.epoch} of stage {position.stage + 1}")
    return position


def _strategy() -> Any:
    """Return all GPUs where there are several, else the one device there is."""
    tensorflow = load_tensorflow()
    if len(tensorflow.config.list_logical_devices("GPU")) > 1:
        return tensorflow.distribute.MirroredStrategy()
    return tensorflow.distribute.get_strategy()


def _network(table: Table, source: FeatureSource, *, pretrained: bool) -> Network:
    """Return the backbone with its own copy of the weights, and a random head."""
    row = find_backbone(source.spec.backbone)
    with computing_in(source.spec.precision):
        backbone = row.load(source.weights) if pretrained else row.build()
    return Network(source.spec, backbone, len(table.classes), pretrained=pretrained)


def _refit(probe: FittedHead, table: Table, rows: NDArray[np.intp], seed: int) -> Any:
    """Fit the chosen head without the images held out to count epochs.

    A head that had seen them would look perfect on them at epoch 0, and no
    epoch of fine-tuning could look better.
    """
    return fit_calibrated(probe.choice, training_data(table, rows, seed)).estimator
