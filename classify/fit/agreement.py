"""Whether features of reduced precision classify as well as float32's, on the same images.

Features may move by a tenth of their length and a head that is trained on them hardly notices. So
it is the head that is asked, on training images that it was not fitted on.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError
from ...extract.features import load_features
from ...extract.images.images import Dataset
from ...extract.source import FeatureSource
from ..data.columns import TapSelector
from ..saved.records import FigureBothWays, PrecisionDocument
from ..statistics.paired_tests import LEVEL, paired_test
from ..statistics.sample import Sample
from .rank import out_of_fold
from .screening import ScreeningSample, draw_screening_sample

IMAGES = 400  # of the training split, at most
TRIFLE = 0.01  # nats of log loss that nobody misses, however surely they are lost


def compare_precisions(dataset: Dataset, source: FeatureSource, seed: int) -> PrecisionDocument:
    """Extract some training images both ways and compare what ``logreg`` makes of them.

    The same folds for both, and ``logreg`` at its best for each. Within noise is what has an
    interval, of both differences, that does not lie on the worse side of 0 (of 0.01 nats of log
    loss) as a whole.

    Parameters
    ----------
    dataset : Dataset
        With labels; its evaluation split is left alone.
    source : FeatureSource
        Of reduced precision.
    seed : int
        Draws the images and the folds.
    """
    sample = draw_screening_sample(dataset, IMAGES, seed)
    exact, reduced = (
        Sample.of(sample.y[held], out_of_fold(X, sample.y[held], sample.groups[held], seed))
        for X, held in (_features(each, sample) for each in (source.exact(), source))
    )
    right = paired_test(exact.right.astype(bool), reduced.right.astype(bool))
    accuracy: FigureBothWays = {
        "float32": float(exact.right.mean()),
        "reduced": float(reduced.right.mean()),
        "difference": right["difference"],
        "ci95": right["difference_ci95"],
    }
    log_loss = _paired_means(exact.log_loss, reduced.log_loss)
    return {
        "precision": source.spec.precision,
        "images": len(exact.right),
        "accuracy": accuracy,
        "log_loss": log_loss,
        "within_noise": accuracy["ci95"][1] >= 0 and log_loss["ci95"][0] <= TRIFLE,
    }


def check_loss(found: PrecisionDocument) -> None:
    """Refuse a precision that costs more than noise.

    Raises
    ------
    OptionError
        With the figures.
    """
    if not found["within_noise"]:
        raise OptionError(
            f"--precision {found['precision']} costs more than noise: {describe(found)}; "
            "--accept-loss takes it all the same, or leave --precision out"
        )


def describe(found: PrecisionDocument) -> str:
    """Say in words what was found."""
    accuracy, log_loss = found["accuracy"], found["log_loss"]
    low, high = (100 * bound for bound in accuracy["ci95"])
    return (
        f"on {found['images']} training images, out of fold, accuracy is "
        f"{100 * accuracy['reduced']:.1f} % against float32's {100 * accuracy['float32']:.1f} % "
        f"({100 * accuracy['difference']:+.1f}, 95 % interval {low:+.1f} to {high:+.1f}), log loss "
        f"{log_loss['reduced']:.3f} against {log_loss['float32']:.3f} "
        f"({log_loss['difference']:+.3f}, {log_loss['ci95'][0]:+.3f} to {log_loss['ci95'][1]:+.3f})"
    )


def _features(
    source: FeatureSource, sample: ScreeningSample
) -> tuple[NDArray[np.floating[Any]], NDArray[np.intp]]:
    """Return the features of a sample, the mean over the views, and the rows that have some."""
    features = load_features(sample.paths, source, doing=f"{source.spec.precision} for comparison")
    taps = TapSelector(features.widths, len(source.spec.views))
    return taps.fit_transform(features.X), np.asarray(features.positions, dtype=np.intp)


def _paired_means(first: NDArray[np.float64], second: NDArray[np.float64]) -> FigureBothWays:
    """Compare two means over the same images, by Student's interval of the differences."""
    from scipy.stats import t

    n, difference = len(first), second - first
    half = float(t.isf(LEVEL / 2, n - 1)) * float(difference.std(ddof=1)) / math.sqrt(n)
    mean = float(difference.mean())
    return {
        "float32": float(first.mean()),
        "reduced": float(second.mean()),
        "difference": mean,
        "ci95": [mean - half, mean + half],
    }
