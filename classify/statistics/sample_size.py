"""How many images it takes to tell a difference, and what difference so many can tell."""

from __future__ import annotations

import math
from typing import TypedDict

import numpy as np

from .annotations import Difference, Share
from .paired_tests import LEVEL

POWER = 0.8


class DetectableDocument(TypedDict):
    """What an evaluation could have told, in JSON.

    ``difference`` of the accuracies that it finds with probability ``power``, and the
    ``chance_of_two_points``: with which it finds a true difference of 0.02.
    """

    difference: Difference | None
    power: Share
    chance_of_two_points: Share


def images_needed(differing: float, difference: float) -> int:
    """Return how many images McNemar's test needs to tell a difference.

    Connor 1987 (https://doi.org/10.2307/2531961), equation 2: for a chance of
    80 % to find it at the 5 % level, two-sided.

    Parameters
    ----------
    differing : float
        Share of images that only one of the two labels right, 0 to 1.
    difference : float
        Between the accuracies, not 0, at most ``differing`` either way.

    Raises
    ------
    ValueError
        If the difference is 0, or larger than the share could make it.

    Examples
    --------
    >>> images_needed(0.05, 0.01)
    3923
    """
    from scipy.stats import norm

    if not 0 < abs(difference) <= differing <= 1:
        raise ValueError(f"no difference of {difference} comes from a share of {differing}")
    level, power = norm.isf(LEVEL / 2), norm.isf(1 - POWER)
    root = level * math.sqrt(differing) + power * math.sqrt(differing - difference**2)
    return math.ceil((root / difference) ** 2)


def chance_to_tell(n: int, differing: float, difference: float) -> float:
    """Return the probability that the exact McNemar test finds a difference.

    Parameters
    ----------
    n : int
        Images.
    differing : float
        Share of images that only one of the two labels right; at least ``difference``.
    difference : float
        Between the accuracies, over 0.

    Examples
    --------
    >>> round(chance_to_tell(272, 0.05, 0.02), 2)
    0.23
    """
    from scipy.stats import binom

    spread = 10 * math.sqrt(n * differing * (1 - differing)) + 10
    middle = n * differing
    counts = np.arange(max(0, math.floor(middle - spread)), min(n, math.ceil(middle + spread)) + 1)
    critical = binom.isf(LEVEL / 2, counts, 0.5) + 1  # images right alone from which p < 0.05
    better = min(1.0, (1 + difference / differing) / 2)
    rejects = binom.sf(critical - 1, counts, better) + binom.cdf(counts - critical, counts, better)
    return float(binom.pmf(counts, n, differing) @ rejects)


def detectable(n: int, differing: float) -> DetectableDocument:
    """Return the smallest difference that n images tell four times of five.

    Parameters
    ----------
    n : int
        Images.
    differing : float
        Share of images on which the two were seen to differ; a larger difference takes more.

    Examples
    --------
    >>> round(detectable(272, 0.05)["difference"], 3)
    0.039
    """
    from scipy.optimize import brentq

    def chance(difference: float) -> float:
        return chance_to_tell(n, max(differing, difference), difference)

    smallest = None  # five images or fewer: p is over 5 %, whatever they say
    if chance(1.0) > POWER:
        smallest = float(brentq(lambda d: chance(d) - POWER, 1e-6, 1.0, xtol=1e-5))
    return {"difference": smallest, "power": POWER, "chance_of_two_points": chance(0.02)}
