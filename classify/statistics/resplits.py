"""A figure over several resplits of the same images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypedDict

import numpy as np

from .annotations import Difference, Interval, rules
from .paired_tests import LEVEL
from .sample_size import POWER, DetectableDocument


class RepeatedDocument(TypedDict):
    """A figure over resplits in JSON."""

    mean: Difference
    ci95: Interval
    count: Annotated[int, rules(minimum=2)]


@dataclass(frozen=True, slots=True)
class Repeated:
    """A figure over several resplits."""

    mean: float  # over the resplits
    ci95: tuple[float, float]  # of the mean
    p: float  # two-sided, of "the mean is 0": for differences
    count: int  # resplits
    error: float  # standard error of the mean

    def to_dict(self) -> RepeatedDocument:
        """Return the contract's ``repeats`` object of an approach."""
        return {"mean": self.mean, "ci95": list(self.ci95), "count": self.count}

    def detectable(self) -> DetectableDocument:
        """Return the smallest difference that so many resplits tell four times of five."""
        from scipy.stats import nct, t

        freedom = self.count - 1
        limit = float(t.isf(LEVEL / 2, freedom))
        chance = 1.0 if self.error == 0 else float(nct.sf(limit, freedom, 0.02 / self.error))
        return {
            "difference": (limit + float(t.isf(1 - POWER, freedom))) * self.error,
            "power": POWER,
            "chance_of_two_points": chance,
        }


def over_resplits(values: Sequence[float], evaluation_to_training: float) -> Repeated:
    """Return mean and interval of a figure over resplits of the same images.

    Resplits share training images, so their spread alone is too small: Nadeau &
    Bengio 2003 (https://doi.org/10.1023/A:1024068626366), equation 9, add the
    ratio of evaluation to training images to 1 / number of resplits.

    Parameters
    ----------
    values : sequence of float
        One a resplit, two or more.
    evaluation_to_training : float
        Evaluation images divided by training images.

    Examples
    --------
    >>> accuracy = over_resplits([0.01, 0.02, 0.03], 0.25)
    >>> round(accuracy.mean, 3), [round(bound, 3) for bound in accuracy.ci95]
    (0.02, [-0.013, 0.053])
    """
    from scipy.stats import t

    count, mean = len(values), float(np.mean(values))
    variance = float(np.var(values, ddof=1))
    error = math.sqrt((1 / count + evaluation_to_training) * variance)
    half = float(t.isf(LEVEL / 2, count - 1)) * error
    if error == 0:  # the same in every resplit
        return Repeated(mean, (mean, mean), float(mean == 0), count, 0.0)
    p = 2 * float(t.sf(abs(mean) / error, count - 1))
    return Repeated(mean, (mean - half, mean + half), p, count, error)
