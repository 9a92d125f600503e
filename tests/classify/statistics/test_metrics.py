"""Figures that a statistician accepts, against independent ones."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss
from statsmodels.stats.proportion import proportion_confint

from headstart.classify.statistics.intervals import wilson
from headstart.classify.statistics.metrics import METRICS, evaluate, figures
from headstart.classify.statistics.reliability import calibrated_ece, reliability


def test_wilson_is_the_formula_of_the_paper():
    hits, n, z = 264, 272, 1.959963984540054
    p = hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    np.testing.assert_allclose(wilson(hits, n), (middle - half, middle + half), rtol=1e-9)


@pytest.mark.parametrize(("hits", "n"), [(264, 272), (0, 10), (10, 10), (1, 2)])
def test_wilson_is_that_of_statsmodels(hits, n):
    np.testing.assert_allclose(
        wilson(hits, n), proportion_confint(hits, n, method="wilson"), atol=1e-12
    )


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_stays_within_0_and_1_and_holds_the_share(case):
    hits, n = case
    low, high = wilson(hits, n)
    assert 0 <= low <= hits / n <= high <= 1
    assert high > low


def expected_calibration_error(truth, probabilities):
    """Guo et al. 2017, equation 3, from the reliability table."""
    rows = reliability(truth, probabilities)
    return sum(abs(row["accuracy"] - row["confidence"]) * row["n"] for row in rows) / len(truth)


def test_calibration_error_of_a_case_by_hand():
    # Bin (0.6, 0.667]: 0.65 sure, right once of two. Bin (0.867, 0.933]: 0.9 sure, always right.
    probabilities = np.array([[0.65, 0.35], [0.65, 0.35], [0.9, 0.1], [0.9, 0.1]])
    truth = np.array([0, 1, 0, 0])
    by_hand = 0.5 * abs(0.5 - 0.65) + 0.5 * abs(1.0 - 0.9)
    assert expected_calibration_error(truth, probabilities) == pytest.approx(by_hand)


def test_an_evaluation_holds_the_figures_of_a_case_by_hand():
    probabilities = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.9, 0.1]])
    result = evaluate(np.array([0, 1, 1, 0]), probabilities, "test")
    assert (result["n"], result["accuracy"], result["split"]) == (4, 0.75, "test")
    assert result["macro_f1"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert result["log_loss"] == pytest.approx(-np.log([0.8, 0.4, 0.7, 0.9]).mean())


def a_case(n=400, k=5, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(k, size=n)
    scores = rng.normal(size=(n, k)) + 2.0 * np.eye(k)[truth]
    scores = np.exp(scores)
    return truth, scores / scores.sum(axis=1, keepdims=True)


def test_every_metric_is_that_of_scikit_learn():
    truth, probabilities = a_case()
    predicted = probabilities.argmax(axis=1)
    found = figures(truth, probabilities)
    assert found["accuracy"]["value"] == pytest.approx((predicted == truth).mean())
    assert found["macro_f1"]["value"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    expected = balanced_accuracy_score(truth, predicted)
    assert found["balanced_accuracy"]["value"] == pytest.approx(expected)
    assert found["log_loss"]["value"] == pytest.approx(log_loss(truth, probabilities))
    assert found["ece"]["value"] == pytest.approx(expected_calibration_error(truth, probabilities))


def test_brier_of_a_case_by_hand():
    # (0.2² + 0.2²) and (0.7² + 0.7²): summed over classes, averaged over the two images.
    found = figures(np.array([0, 1]), np.array([[0.8, 0.2], [0.7, 0.3]]))
    assert found["brier"]["value"] == pytest.approx((0.08 + 0.98) / 2)


def test_the_bootstrap_intervals_are_those_of_scipy():
    truth, probabilities = a_case()
    losses = -np.log(probabilities[np.arange(len(truth)), truth])
    theirs = scipy.stats.bootstrap((losses,), np.mean, method="percentile", rng=1)
    np.testing.assert_allclose(
        figures(truth, probabilities)["log_loss"]["ci95"], theirs.confidence_interval, rtol=0.03
    )
    predicted = probabilities.argmax(axis=1)
    theirs = scipy.stats.bootstrap(
        (truth, predicted),
        lambda a, b: f1_score(a, b, average="macro"),
        paired=True,
        vectorized=False,
        n_resamples=400,
        method="percentile",
        rng=1,
    )
    found = figures(truth, probabilities)["macro_f1"]["ci95"]
    np.testing.assert_allclose(found, theirs.confidence_interval, atol=0.012)


def test_every_interval_holds_its_figure_and_stays_in_range():
    for seed in range(5):
        for name, figure in figures(*a_case(60, 4, seed)).items():
            low, high = figure["ci95"]
            assert 0 <= low <= figure["value"] <= high, name
            assert high <= {"brier": 2.0, "log_loss": np.inf}.get(name, 1.0), name


def test_a_sample_without_a_mistake_is_not_certainty():
    truth, probabilities = np.array([0, 1] * 20), np.tile(np.eye(2), (20, 1)) * 0.8 + 0.1
    found = figures(truth, probabilities)
    assert found["macro_f1"]["ci95"] == found["accuracy"]["ci95"]
    assert found["balanced_accuracy"]["ci95"][0] == pytest.approx(wilson(40, 40)[0])


def test_a_class_that_a_resample_lacks_does_not_count_in_it():
    truth = np.array([0] * 30 + [1])
    probabilities = np.tile([0.9, 0.1], (31, 1))
    low, high = figures(truth, probabilities)["balanced_accuracy"]["ci95"]
    assert (low, high) == pytest.approx((0.5, 1.0), abs=0.3)
    assert np.isfinite([low, high]).all()


def test_the_same_seed_gives_the_same_intervals():
    assert figures(*a_case(), seed=3) == figures(*a_case(), seed=3)
    assert figures(*a_case(), seed=3) != figures(*a_case(), seed=4)


def test_an_evaluation_in_json_has_the_metrics_of_its_contract():
    document = evaluate(*a_case(60), "test")
    brief = {key for key, metric in METRICS.items() if metric.brief}
    assert set(document) == {"split", "n", "ci95", *brief}
    assert brief == {"accuracy", "macro_f1", "log_loss", "ece"}


def test_a_calibrated_classifiers_error_lies_where_chance_puts_it():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.6, 1.0, 272)
    low, high = calibrated_ece(confidence)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    errors = [
        expected_calibration_error((rng.random(272) > confidence).astype(int), probabilities)
        for _ in range(400)
    ]
    assert np.mean([low <= error <= high for error in errors]) == pytest.approx(0.95, abs=0.03)
    assert low > 0, "on 272 images no classifier shows 0"


def test_an_overconfident_classifier_lies_beyond():
    truth = np.array([0, 1] * 100)
    probabilities = np.tile([0.9, 0.1], (200, 1))
    figure = figures(truth, probabilities)["ece"]
    assert figure["value"] > figure["if_calibrated"][1]
    assert "if_calibrated" not in figures(truth, probabilities)["log_loss"]
