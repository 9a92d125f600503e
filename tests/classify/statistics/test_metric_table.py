"""A metric is one row: adding it there brings it into JSON, page, CSV, card and schema."""

import csv
import importlib.util
import io
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from headstart.classify.compare.report.page import page_text
from headstart.classify.compare.report.tables import to_csv
from headstart.classify.saved.front_matter import metadata
from headstart.classify.statistics.metrics import METRICS, Metric, evaluate, figures


def schema_maker():
    path = Path(__file__).parents[3] / "docs" / "schema.py"
    spec = importlib.util.spec_from_file_location("schema_maker", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def error_rate(monkeypatch):
    """One more row: the mean share of the labels that are wrong."""

    def values(sample, weights):
        return weights @ (1 - sample.right) / weights.sum(axis=1)

    row = Metric("error rate", values, better="lower", largest=1.0, percent=True, hub="error_rate")
    monkeypatch.setitem(METRICS, "error_rate", row)


def with_figures(comparison):
    """Return the comparison with its approaches' figures measured anew."""
    results = json.loads(json.dumps(comparison.results))
    for approach in results["approaches"]:
        probabilities = comparison.evidence.probabilities[approach["name"]]
        measured = figures(comparison.evidence.truth, probabilities)
        approach |= {key: figure["value"] for key, figure in measured.items()}
        approach["intervals"] = {key: figure["ci95"] for key, figure in measured.items()}
    return replace(comparison, results=results)


def test_one_more_row_is_in_every_place(comparison, error_rate):
    truth = np.array([0, 1])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2]])
    assert evaluate(truth, probabilities, "test")["error_rate"] == 0.5
    assert figures(truth, probabilities)["error_rate"]["value"] == 0.5

    changed = with_figures(comparison)
    error = changed.results["approaches"][0]["error_rate"]
    assert error == pytest.approx(1 - changed.results["approaches"][0]["accuracy"])
    assert f"<td>{100 * error:.1f} %<br>" in page_text(changed)
    assert "error rate ↓" in page_text(changed)
    line = next(csv.DictReader(io.StringIO(to_csv(changed.results))))
    assert float(line["error_rate"]) == error
    assert {"error_rate_low", "error_rate_high"} <= set(line)
    schema = schema_maker().results_schema()
    jsonschema.validate(changed.results, schema)
    with pytest.raises(jsonschema.ValidationError, match="error_rate"):
        jsonschema.validate(json.loads(json.dumps(comparison.results)), schema)


def test_one_more_row_is_on_the_card(error_rate, headstart, photographs, tmp_path):
    model = tmp_path / "m.headstart"
    status, _, err = headstart("fit", "head", photographs, "--model", "centroid", "--out", model)
    assert status == 0, err
    assert "| error rate | " in (tmp_path / "m.MODEL.md").read_text()
    assert "95 would show a calibration error (ECE) of 0.0" in (tmp_path / "m.MODEL.md").read_text()
    card = json.loads((tmp_path / "m.MODEL.json").read_text())
    assert "error_rate" in card["evaluation"]["figures"]
    assert "error_rate" in metadata(card)["metrics"]


def test_the_schema_in_the_package_is_that_of_the_types():
    maker = schema_maker()
    assert json.loads(maker.FILE.read_text()) == maker.results_schema(), "run 'make docs'"
