"""The data of ``headstart demo``: scikit-learn's handwritten digits as image folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

ABOUT = (
    "The data: 1,797 handwritten digits of 8 x 8 pixels that come with scikit-learn (UCI Optical "
    "Recognition of Handwritten Digits), enlarged. They are no photographs; they show the whole "
    "job without a download, not how well it does on yours."
)
ENLARGE = 12
WHY = {
    "finetune": (
        "Fine-tuning wins here because ImageNet never saw such drawings: what the frozen layers "
        "know of photographs says less about them than the same layers do once all of them are "
        "trained. On photographs like ImageNet's a head is as good, for a fraction of the time: "
        "run the last command on yours."
    ),
    "transfer": "A head on frozen features was enough here.",
    "tied": (
        "This run could not tell them apart. On drawings that ImageNet never saw training all "
        "layers mostly wins: a larger --budget tries more."
    ),
}


def explain_outcome(outcome: str) -> str:
    """Say why a comparison of these data ended as it did.

    Parameters
    ----------
    outcome : str
        That of ``results.json``.
    """
    return WHY.get(outcome, WHY["tied"])


def write_digits(folder: Path) -> Path:
    """Write one sub-folder a digit, 1,797 PNG files of 96 x 96 pixels.

    Parameters
    ----------
    folder : Path
        Made when missing. Files already there are kept, so that a second
        demo reuses their features.

    Returns
    -------
    Path
        The same folder: a dataset without given splits.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        path = folder / str(label) / f"{number:04d}.png"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        grey = (255 - pixels * (255 / 16)).astype(np.uint8)  # 0 to 16, ink is high
        Image.fromarray(grey.repeat(ENLARGE, axis=0).repeat(ENLARGE, axis=1)).save(path)
    return folder
