"""What tests of fine-tuning share: one candidate where the search is not what is tested."""

from __future__ import annotations

from headstart.classify.finetune.settings import FineTuneSettings

ONE = {
    "unfreeze": ("1",),
    "start": ("head",),
    "batch_norm": ("frozen",),
    "learning_rate": (1e-4,),
    "augment": ("none",),
    "layer_decay": 1.0,
    "epochs": 1,
}
ONE_OPTIONS = (
    *("--unfreeze", "1", "--start", "head", "--batch-norm", "frozen", "--learning-rate", "1e-4"),
    *("--augment", "none", "--layer-decay", "1", "--epochs", "1"),
)


def one_candidate(**settings):
    """Return settings that leave nothing to choose but the epoch."""
    return FineTuneSettings(**{**ONE, **settings})
