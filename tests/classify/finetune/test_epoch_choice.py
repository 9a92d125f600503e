"""One figure chooses: held-out log loss at its best temperature."""

import numpy as np
import pytest

from headstart.classify.finetune.epoch_choice import choose_epoch, judge

TRUTH = np.array([0, 1, 0, 1])
LOGITS = np.array([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 0.0]])


def test_how_sure_a_network_is_of_itself_does_not_count():
    plain, sharp = judge(LOGITS, TRUTH), judge(9 * LOGITS, TRUTH)
    assert plain.accuracy == sharp.accuracy == 0.75
    assert sharp.loss == pytest.approx(plain.loss, rel=1e-4)
    assert sharp.temperature == pytest.approx(9 * plain.temperature, rel=1e-3)


def test_the_first_of_equals_is_taken():
    better = judge(np.where(LOGITS == 0, -1.0, LOGITS)[[0, 1, 2, 1]], TRUTH)
    worse = judge(LOGITS, TRUTH)
    assert choose_epoch([worse, better, better]) == 1
    assert choose_epoch([better, worse]) == 0
