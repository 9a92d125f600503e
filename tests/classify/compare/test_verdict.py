"""Each form of the verdict from made-up figures."""

import numpy as np
import pytest

from headstart.classify.compare.verdict import Contender, duration, judge
from headstart.classify.statistics.paired_tests import Repeated, paired_test


def verdict(only_head, only_tuned, n=272, *, costs=(5.0, 300.0), repeated=None):
    rest = n - only_head - only_tuned
    head = np.array([1] * only_head + [0] * only_tuned + [1] * rest, dtype=bool)
    tuned = np.array([0] * only_head + [1] * only_tuned + [1] * rest, dtype=bool)
    return judge(
        Contender("logreg", float(head.mean()), costs[0]),
        Contender("tuned", float(tuned.mean()), costs[1]),
        paired_test(head, tuned),
        n,
        repeated,
    )


def test_fine_tuning_wins():
    told = verdict(2, 30)
    assert told.sentence.startswith(
        "Fine-tuning wins: tuned over logreg (99.3 % against 89.0 % on 272 images; "
        "difference +10.3 points, 95 % interval +6.6 to +"
    )
    assert told.sentence.endswith(
        "it costs 5.0 min against 5.0 s, +2.09 points for each extra minute."
    )
    assert (told.outcome, told.use) == ("finetune", "tuned")
    assert told.points_per_minute == pytest.approx(100 * 28 / 272 / (295 / 60))


def test_fine_tuning_wins_and_is_cheaper():
    told = verdict(2, 30, costs=(300.0, 5.0))
    assert told.sentence.endswith("; and it costs less, 5.0 s against 5.0 min.")
    assert (told.outcome, told.points_per_minute) == ("finetune", None)


def test_the_head_wins():
    told = verdict(30, 2)
    assert told.sentence.startswith("The head wins: logreg over tuned (89.0 % against 99.3 % on")
    assert told.sentence.endswith("; it costs less, 5.0 s against 5.0 min.")
    assert (told.outcome, told.use) == ("transfer", "logreg")


def test_the_head_wins_though_it_is_dearer():
    assert "though it costs more" in verdict(30, 2, costs=(300.0, 5.0)).sentence


def test_they_cannot_be_told_apart_and_the_head_is_cheaper():
    told = verdict(5, 7)
    assert told.sentence.startswith(
        "tuned and logreg cannot be told apart (98.2 % against 97.4 % on"
    )
    assert "use logreg, which costs less (5.0 s against 5.0 min)" in told.sentence
    assert (told.outcome, told.use) == ("tied", "logreg")
    assert told.images_needed == 6403
    assert told.sentence.endswith(
        "; to tell a difference of this size would take about 6,400 images."
    )


def test_they_cannot_be_told_apart_and_fine_tuning_is_cheaper():
    told = verdict(5, 7, costs=(300.0, 5.0))
    assert "use tuned, which costs less (5.0 s against 5.0 min)" in told.sentence
    assert (told.outcome, told.use) == ("tied", "tuned")


def test_without_a_difference_it_says_what_one_point_would_take():
    told = verdict(6, 6)
    assert "to tell a difference of one point would take about" in told.sentence
    assert told.images_needed is not None


def test_with_the_same_mistakes_more_images_may_not_tell():
    told = verdict(0, 0)
    assert "they label every image right or wrong alike" in told.sentence
    assert told.images_needed is None


def test_a_small_p_whose_interval_holds_0_is_no_win():
    from headstart.classify.statistics.paired_tests import PairedTest

    test = PairedTest(2, 10, 0.04, 0.03, (-0.001, 0.06))
    told = judge(Contender("a", 0.9, 1.0), Contender("b", 0.93, 2.0), test, 272)
    assert told.outcome == "tied"


def test_over_resplits_the_resplits_decide():
    repeated = Repeated(0.03, (0.01, 0.05), 0.01, 5)
    told = verdict(5, 7, repeated=repeated)
    assert told.outcome == "finetune"
    assert "over 5 resplits of about 272 images; difference +3.0 points" in told.sentence
    assert "corrected t-test p = 0.010" in told.sentence
    apart = verdict(2, 30, repeated=Repeated(0.03, (-0.01, 0.07), 0.12, 5))
    assert apart.outcome == "tied"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (119.9, "119.9 s"), (120, "2.0 min"), (7200, "2.0 h")]
)
def test_times_are_told_in_a_unit_that_fits(seconds, words):
    assert duration(seconds) == words
