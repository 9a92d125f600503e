"""Each form of the verdict from made-up figures."""

import numpy as np
import pytest

from headstart.classify.compare.verdict import (
    Contender,
    Search,
    duration,
    judge,
    judge_heads,
    on_one_split,
    over_splits,
)
from headstart.classify.finetune.budget import (
    LEAST_CANDIDATES,
    LEAST_EPOCHS,
    LEVELS,
    MANY,
    Cost,
    share_of_epochs,
)
from headstart.classify.statistics.paired_tests import paired_test
from headstart.classify.statistics.resplits import over_resplits

TUNED = Search(LEAST_CANDIDATES, LEAST_EPOCHS, MANY)


def measure(only_head, only_network, n=272):
    rest = n - only_head - only_network
    head = np.array([1] * only_head + [0] * only_network + [1] * rest, dtype=bool)
    network = np.array([0] * only_head + [1] * only_network + [1] * rest, dtype=bool)
    return head.mean(), network.mean(), on_one_split(paired_test(head, network), n)


def verdict(only_head, only_network, *, costs=(5.0, 300.0), search=TUNED):
    head, network, measured = measure(only_head, only_network)
    contenders = Contender("logreg", float(head), costs[0]), Contender("tuned", network, costs[1])
    return judge(*contenders, measured, search)


def test_fine_tuning_wins():
    judged = verdict(2, 30)
    assert judged.sentence.startswith(
        "Fine-tuning wins: tuned over logreg (99.3 % against 89.0 % on 272 images; "
        "difference +10.3 points, 95 % interval +6.8 to +"
    )
    assert judged.sentence.endswith(
        "it costs 5.0 min against 5.0 s, +2.09 points for each extra minute."
    )
    assert (judged.outcome, judged.use) == ("finetune", "tuned")
    assert judged.points_per_minute == pytest.approx(100 * 28 / 272 / (295 / 60))


def test_fine_tuning_wins_and_is_cheaper():
    judged = verdict(2, 30, costs=(300.0, 5.0))
    assert judged.sentence.endswith("; and it costs less, 5.0 s against 5.0 min.")
    assert (judged.outcome, judged.points_per_minute) == ("finetune", None)


def test_the_head_wins():
    judged = verdict(30, 2)
    assert judged.sentence.startswith("The head wins: logreg over tuned (89.0 % against 99.3 % on")
    assert judged.sentence.endswith("; it costs less, 5.0 s against 5.0 min.")
    assert (judged.outcome, judged.use) == ("transfer", "logreg")


def test_the_head_wins_though_it_is_dearer():
    assert "though it costs more" in verdict(30, 2, costs=(300.0, 5.0)).sentence


def test_they_cannot_be_told_apart_and_the_head_is_cheaper():
    judged = verdict(5, 7)
    assert judged.sentence.startswith(
        "tuned and logreg cannot be told apart (98.2 % against 97.4 % on"
    )
    assert "use logreg, which costs less (5.0 s against 5.0 min)" in judged.sentence
    assert (judged.outcome, judged.use) == ("tied", "logreg")
    assert measure(5, 7)[2].images_needed == 6403
    assert judged.sentence.endswith(
        "; a difference of 3.6 points would have been found four times of five, "
        "the one seen takes about 6,400 images."
    )


def test_they_cannot_be_told_apart_and_fine_tuning_is_cheaper():
    judged = verdict(5, 7, costs=(300.0, 5.0))
    assert "use tuned, which costs less (5.0 s against 5.0 min)" in judged.sentence
    assert (judged.outcome, judged.use) == ("tied", "tuned")


def test_without_a_difference_it_says_what_one_point_would_take():
    assert "one of one point takes about" in verdict(6, 6).sentence
    assert measure(6, 6)[2].images_needed is not None


def test_with_the_same_mistakes_more_images_may_not_tell():
    assert "they label every image right or wrong alike" in verdict(0, 0).sentence
    assert measure(0, 0)[2].images_needed is None


def test_what_the_evaluation_could_have_told_is_named():
    detectable = measure(5, 8)[2].detectable
    assert detectable["power"] == 0.8
    assert 0.03 < detectable["difference"] < 0.045
    assert 0.2 < detectable["chance_of_two_points"] < 0.3, "one time in four at n = 272"


def test_a_small_p_whose_interval_holds_0_is_no_win():
    test = {"only_first": 2, "only_second": 10, "mcnemar_p": 0.03, "difference": 0.04}
    measured = on_one_split({**test, "difference_ci95": [-0.001, 0.06]}, 272)
    judged = judge(Contender("a", 0.9, 1.0), Contender("b", 0.93, 2.0), measured, TUNED)
    assert judged.outcome == "tied"


@pytest.mark.parametrize(
    "search",
    [
        Search(1, 2, 900),
        Search(LEAST_CANDIDATES - 1, 30, 900),
        Search(20, LEAST_EPOCHS - 1, 900),
    ],
)
@pytest.mark.parametrize("counts", [(2, 30), (30, 2), (5, 7)])
def test_a_network_that_was_hardly_tuned_gets_no_verdict(search, counts):
    judged = verdict(*counts, search=search)
    assert (judged.outcome, judged.use) == ("untuned", "logreg")
    assert judged.sentence.startswith("Fine-tuning was not tuned: no verdict. tuned against logreg")
    assert f"{search.candidates} settings of at most {search.epochs} epochs" in judged.sentence


@pytest.mark.parametrize("images", [200, 1500, 6000, 40_000])
@pytest.mark.parametrize("level", LEVELS)
def test_every_budget_that_is_borne_is_a_search(level, images):
    free = [Cost(0.0, 0.0, {})] * LEAST_CANDIDATES
    last = level.fitted(share_of_epochs(images), free).rungs[-1]
    assert Search(LEAST_CANDIDATES, last, images).tuned


def test_of_two_heads_the_better_is_used_where_they_can_be_told_apart():
    first, second, measured = measure(2, 30)
    contenders = Contender("ridge on a", first, 5.0), Contender("lda on b", second, 9.0)
    judged = judge_heads(*contenders, measured)
    assert judged.sentence.startswith("lda on b wins over ridge on a (lda on b has 99.3 % against")
    assert (judged.outcome, judged.use) == ("transfer", "lda on b")
    judged = judge_heads(*contenders, measure(30, 2)[2])
    assert judged.sentence.startswith("ridge on a wins over lda on b (lda on b has")
    tied = judge_heads(*contenders, measure(5, 7)[2])
    assert (tied.outcome, tied.use, tied.points_per_minute) == ("tied", "ridge on a", None)


def test_over_resplits_the_resplits_decide():
    contenders = Contender("logreg", 0.95, 5.0), Contender("tuned", 0.98, 300.0)
    differences = [0.025, 0.03, 0.035, 0.03, 0.03]
    measured = over_splits(over_resplits(differences, 0.25), 272, 0.05)
    judged = judge(*contenders, measured, TUNED)
    assert judged.outcome == "finetune"
    assert "over 5 resplits of about 272 images; difference +3.0 points" in judged.sentence
    assert "corrected t-test p = 2.2e-04" in judged.sentence
    wide = over_splits(over_resplits([-0.02, 0.05, 0.0, 0.03, 0.04], 0.25), 272, 0.05)
    assert judge(*contenders, wide, TUNED).outcome == "tied"


def test_images_needed_over_resplits_come_from_their_difference_not_from_one_splits():
    repeated = over_resplits([0.02, -0.019, 0.003], 0.25)
    measured = over_splits(repeated, 272, 0.05)
    assert repeated.mean == pytest.approx(4e-3 / 3)
    assert measured.images_needed > 100_000
    assert measured.detectable["difference"] > 0.05, "three resplits tell little"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (119.9, "119.9 s"), (120, "2.0 min"), (7200, "2.0 h")]
)
def test_times_are_told_in_a_unit_that_fits(seconds, words):
    assert duration(seconds) == words
