"""Which of two approaches to use: one sentence, from the figures alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..finetune.budget import LEAST_CANDIDATES, least_epochs, share_of_epochs
from ..statistics.paired_tests import LEVEL, PairedTestDocument
from ..statistics.resplits import Repeated
from ..statistics.sample_size import DetectableDocument, detectable, images_needed

ONE_POINT = 0.01


@dataclass(frozen=True, slots=True)
class Contender:
    """The best approach of its kind, or one of two heads."""

    name: str  # for print
    accuracy: float  # on the evaluation split, or the mean over resplits; 0 to 1
    # what it costs to find: features, everything tried, the training of what was chosen
    seconds: float


@dataclass(frozen=True, slots=True)
class Search:
    """What was tried for all networks."""

    candidates: int  # settings
    epochs: int  # that the longest might take
    images: int  # that train

    @property
    def least_epochs(self) -> int:
        """Epochs that a verdict takes: as a search, of fewer where there are many images."""
        return least_epochs(share_of_epochs(self.images))

    @property
    def tuned(self) -> bool:
        """Whether so much was tried that a verdict on fine-tuning is fair."""
        return self.candidates >= LEAST_CANDIDATES and self.epochs >= self.least_epochs


@dataclass(frozen=True, slots=True)
class Measured:
    """A difference of two accuracies, and how surely it is known."""

    difference: float  # the network's accuracy less the head's; of two heads, the second's less
    ci95: tuple[float, float]  # its 95 % interval
    p: float  # two-sided, of "there is no difference"
    # on what it was measured, and the test, for print
    where: str
    test: str
    # evaluation images that would tell a difference of this
    # size (80 % power); of one point where none was seen
    images_needed: int | None
    detectable: DetectableDocument  # what difference this evaluation could have told

    @property
    def told(self) -> bool:
        """Whether the two can be told apart."""
        low, high = self.ci95
        return self.p < LEVEL and not low <= 0 <= high


def on_one_split(test: PairedTestDocument, n: int) -> Measured:
    """Return the difference of a paired test of head (first) and network (second) on n images."""
    differing = (test["only_first"] + test["only_second"]) / n
    low, high = test["difference_ci95"]
    return Measured(
        difference=test["difference"],
        ci95=(low, high),
        p=test["mcnemar_p"],
        where=f"on {n:,} images",
        test="McNemar",
        images_needed=_images_needed(differing, test["difference"]),
        detectable=detectable(n, differing),
    )


def over_splits(repeated: Repeated, n: int, differing: float) -> Measured:
    """Return the difference over resplits, which covers other training images too.

    Parameters
    ----------
    repeated : Repeated
        Of the network's accuracy less the head's, each the best of its kind in its resplit.
    n : int
        Evaluation images, about.
    differing : float
        Share of images that only one of the two labels right, the mean over resplits.
    """
    return Measured(
        difference=repeated.mean,
        ci95=repeated.ci95,
        p=repeated.p,
        where=f"over {repeated.count} resplits of about {n:,} images",
        test="corrected t-test",
        images_needed=_images_needed(differing, repeated.mean),
        detectable=repeated.detectable(),
    )


def _images_needed(differing: float, difference: float) -> int | None:
    if differing == 0:
        return None
    return images_needed(differing, abs(difference) or min(ONE_POINT, differing))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do."""

    sentence: str  # in words, with the figures it rests on
    # "finetune" or "transfer": the kind that wins; "tied" when the two cannot
    # be told apart; "untuned" when too little was tried for fine-tuning to tell
    outcome: Literal["transfer", "finetune", "tied", "untuned"]
    use: str  # the approach to use
    # what fine-tuning gains for each minute that it costs more; None where it costs less
    points_per_minute: float | None


def judge(head: Contender, network: Contender, measured: Measured, search: Search) -> Verdict:
    """Say which of two approaches to use.

    Fine-tuning or the head wins only where p < 0.05 and the interval of the
    difference leaves 0 out; else the one that costs less to find is to be used. Where
    hardly anything was tried for fine-tuning, there is no verdict.

    Parameters
    ----------
    head, network : Contender
        The best head and the best fine-tuned network, each chosen on training data.
    measured : Measured
        Their difference.
    search : Search
        What was tried for the networks.

    Examples
    --------
    >>> import numpy as np
    >>> from headstart.classify.statistics.paired_tests import paired_test
    >>> head, network = Contender("lda", 0.90, 9.0), Contender("fine-tuned", 0.95, 60.0)
    >>> right = np.ones((2, 100), dtype=bool)
    >>> right[0, :7], right[1, 7:9] = False, False
    >>> measured = on_one_split(paired_test(*right), 100)
    >>> judge(head, network, measured, Search(12, 15, 900)).use
    'lda'
    >>> judge(head, network, measured, Search(1, 2, 900)).outcome
    'untuned'
    """
    figures = _figures(head, network, measured)
    extra = network.seconds - head.seconds
    gain = 100 * measured.difference / (extra / 60) if extra > 0 else None
    if not search.tuned:
        sentence = (
            f"Fine-tuning was not tuned: no verdict. {network.name} against {head.name} has "
            f"{figures}; but {search.candidates} settings of at most {search.epochs} epochs were "
            f"tried, and a verdict takes {LEAST_CANDIDATES} of {search.least_epochs}."
        )
        return Verdict(sentence, "untuned", head.name, gain)
    if not measured.told:
        return _tied(head, network, measured, gain)
    if measured.difference > 0:
        return Verdict(_network_won(head, network, figures, gain), "finetune", network.name, gain)
    less = "it costs less" if gain is not None else "though it costs more"
    sentence = (
        f"The head wins: {head.name} over {network.name} ({figures}); {less}, "
        f"{duration(head.seconds)} against {duration(network.seconds)}."
    )
    return Verdict(sentence, "transfer", head.name, gain)


def judge_heads(first: Contender, second: Contender, measured: Measured) -> Verdict:
    """Say which of two heads to use, where nothing could be fine-tuned; see :func:`judge`."""
    if not measured.told:
        return _tied(first, second, measured, None)
    winner, loser = (second, first) if measured.difference > 0 else (first, second)
    figures = _figures(first, second, measured)
    sentence = f"{winner.name} wins over {loser.name} ({second.name} has {figures})."
    return Verdict(sentence, "transfer", winner.name, None)


def _figures(first: Contender, second: Contender, measured: Measured) -> str:
    low, high = measured.ci95
    return (
        f"{100 * second.accuracy:.1f} % against {100 * first.accuracy:.1f} % {measured.where}; "
        f"difference {100 * measured.difference:+.1f} points, 95 % interval {100 * low:+.1f} to "
        f"{100 * high:+.1f}, {measured.test} p = {_p(measured.p)}"
    )


def _tied(
    first: Contender, second: Contender, measured: Measured, points_per_minute: float | None
) -> Verdict:
    cheaper, dearer = sorted((first, second), key=lambda contender: contender.seconds)
    sentence = (
        f"{second.name} and {first.name} cannot be told apart "
        f"({_figures(first, second, measured)}): use {cheaper.name}, which costs less "
        f"({duration(cheaper.seconds)} against {duration(dearer.seconds)}){_to_tell(measured)}."
    )
    return Verdict(sentence, "tied", cheaper.name, points_per_minute)


def _network_won(head: Contender, network: Contender, figures: str, gain: float | None) -> str:
    costs = f"{duration(network.seconds)} against {duration(head.seconds)}"
    price = (
        f"it costs {costs}, {gain:+.2f} points for each extra minute"
        if gain is not None
        else f"and it costs less, {costs}"
    )
    return f"Fine-tuning wins: {network.name} over {head.name} ({figures}); {price}."


def _to_tell(measured: Measured) -> str:
    """Say what this evaluation could have told, and what would take more images."""
    smallest, needed = measured.detectable["difference"], measured.images_needed
    words = ""
    if smallest is not None:
        words = f"; a difference of {100 * smallest:.1f} points would have been found four times of five"
    if needed is None:
        return f"{words}; they label every image right or wrong alike, so more may not tell either"
    size = "the one seen" if measured.difference else "one of one point"
    return f"{words}, {size} takes about {two_figures(needed):,} images"


def two_figures(count: int) -> int:
    """Round to two figures, all that an estimate is worth.

    Examples
    --------
    >>> two_figures(3923)
    3900
    """
    return int(float(f"{count:.2g}"))


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"


def duration(seconds: float) -> str:
    """Return a time in words.

    Examples
    --------
    >>> duration(8.61), duration(461), duration(5400)
    ('8.6 s', '7.7 min', '1.5 h')
    """
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
