"""Which classes are taken for which."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix as theirs
from sklearn.metrics import precision_recall_fscore_support

from headstart.classify.statistics.confusion import confusion_matrix, most_confused, per_class
from headstart.classify.statistics.intervals import wilson

CLASSES = ["ant", "bee", "cat", "dog"]
PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1)


@given(PAIRS)
def test_matrix_and_figures_equal_scikit_learns(pairs):
    truth, predicted = np.array(pairs).T
    matrix = confusion_matrix(truth, predicted, 4)
    np.testing.assert_array_equal(matrix, theirs(truth, predicted, labels=range(4)))
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, predicted, labels=range(4), zero_division=np.nan
    )
    for at, one in enumerate(per_class(matrix, CLASSES)):
        assert one["images"] == support[at]
        for name, value in (("precision", precision), ("recall", recall), ("f1", f1)):
            told = np.nan if one[name] is None else one[name]
            np.testing.assert_allclose(told, value[at], atol=1e-12)


def test_intervals_are_wilsons():
    (ant, *_) = per_class(np.array([[9, 1, 0, 0], *np.zeros((3, 4), int)]), CLASSES)
    assert ant["recall_ci95"] == list(wilson(9, 10))
    assert ant["precision_ci95"] == list(wilson(9, 9))


def test_pairs_are_the_most_frequent_first_and_hold_no_hit():
    matrix = np.array([[5, 1, 0, 2], [3, 9, 0, 0], [0, 0, 4, 0], [0, 0, 0, 0]])
    told = most_confused(matrix, CLASSES)
    assert [(one["true"], one["predicted"], one["images"]) for one in told] == [
        ("bee", "ant", 3),
        ("ant", "dog", 2),
        ("ant", "bee", 1),
    ]
    assert told[0]["share"] == 0.25
    assert most_confused(np.eye(4, dtype=int), CLASSES) == []
