"""Which of two approaches to use: one sentence, from the figures alone."""

from __future__ import annotations

from dataclasses import dataclass

from ..statistics.paired_tests import LEVEL, PairedTest, Repeated, images_needed

ONE_POINT = 0.01


@dataclass(frozen=True, slots=True)
class Contender:
    """The best approach of its kind.

    Parameters
    ----------
    name : str
        For print.
    accuracy : float
        On the evaluation split, or the mean over resplits; 0 to 1.
    seconds : float
        What it costs after the shared features: choice, training, prediction.
    """

    name: str
    accuracy: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do.

    Parameters
    ----------
    sentence : str
        In words, with the figures it rests on.
    outcome : str
        ``"finetune"`` or ``"transfer"``: the kind that wins; ``"tied"`` when the
        two cannot be told apart.
    use : str
        The approach to use.
    images_needed : int or None
        Evaluation images that would tell a difference of this size (80 % power);
        of one point where none was seen.
    points_per_minute : float or None
        What fine-tuning gains for each minute that it costs more; None where it
        costs less.
    """

    sentence: str
    outcome: str
    use: str
    images_needed: int | None
    points_per_minute: float | None


def judge(
    head: Contender, tuned: Contender, test: PairedTest, n: int, repeated: Repeated | None = None
) -> Verdict:
    """Say which of two approaches to use.

    Fine-tuning or the head wins only where p < 0.05 and the interval of the
    difference leaves 0 out; else the cheaper one is to be used.

    Parameters
    ----------
    head, tuned : Contender
        The best head and the best fine-tuned network, each chosen on training data.
    test : PairedTest
        Of the head (first) against the network (second).
    n : int
        Evaluation images.
    repeated : Repeated, optional
        The same difference over resplits, which then decides: it covers other
        training images too.

    Examples
    --------
    >>> head, tuned = Contender("lda", 0.90, 9.0), Contender("fine-tuned", 0.95, 60.0)
    >>> judge(head, tuned, PairedTest(2, 7, 0.18, 0.05, (-0.01, 0.11)), 100).use
    'lda'
    """
    if repeated is None:
        difference, (low, high), p = test.difference, test.difference_ci95, test.mcnemar_p
        where, named = f"on {n:,} images", "McNemar"
    else:
        difference, (low, high), p = repeated.mean, repeated.ci95, repeated.p
        where, named = f"over {repeated.count} resplits of about {n:,} images", "corrected t-test"
    figures = (
        f"{100 * tuned.accuracy:.1f} % against {100 * head.accuracy:.1f} % {where}; difference "
        f"{100 * difference:+.1f} points, 95 % interval {100 * low:+.1f} to {100 * high:+.1f}, "
        f"{named} p = {_p(p)}"
    )
    extra = tuned.seconds - head.seconds
    gain = 100 * difference / (extra / 60) if extra > 0 else None
    needed = _images_needed(test, n)
    if p < LEVEL and not low <= 0 <= high:
        kind, sentence = _won(head, tuned, difference, figures, gain)
        use = tuned if kind == "finetune" else head
        return Verdict(sentence, kind, use.name, needed, gain)
    use, other = sorted((head, tuned), key=lambda one: one.seconds)
    sentence = (
        f"{tuned.name} and {head.name} cannot be told apart ({figures}): use {use.name}, which "
        f"costs less ({duration(use.seconds)} against {duration(other.seconds)}){_to_tell(test, needed)}."
    )
    return Verdict(sentence, "tied", use.name, needed, gain)


def _won(
    head: Contender, tuned: Contender, difference: float, figures: str, gain: float | None
) -> tuple[str, str]:
    costs = f"{duration(tuned.seconds)} against {duration(head.seconds)}"
    if difference > 0:
        price = (
            f"it costs {costs}, {gain:+.2f} points for each extra minute"
            if gain is not None
            else f"and it costs less, {costs}"
        )
        return "finetune", f"Fine-tuning wins: {tuned.name} over {head.name} ({figures}); {price}."
    less = "it costs less" if gain is not None else "though it costs more"
    return "transfer", (
        f"The head wins: {head.name} over {tuned.name} ({figures}); {less}, "
        f"{duration(head.seconds)} against {duration(tuned.seconds)}."
    )


def _images_needed(test: PairedTest, n: int) -> int | None:
    differing = (test.only_first + test.only_second) / n
    if differing == 0:
        return None
    difference = abs(test.difference) or min(ONE_POINT, differing)
    return images_needed(differing, difference)


def _to_tell(test: PairedTest, needed: int | None) -> str:
    if needed is None:
        return "; they label every image right or wrong alike, so more images may not tell either"
    size = "this size" if test.difference else "one point"
    return f"; to tell a difference of {size} would take about {two_figures(needed):,} images"


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
