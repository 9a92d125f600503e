"""The report's files: one page that needs nothing, and the same figures for programs."""

import base64
import csv
import hashlib
import html
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from headstart.classify.compare.report.contender_plots import (
    Charted,
    recall_by_class,
    reliability_diagram,
)
from headstart.classify.compare.report.cost_plot import accuracy_against_cost
from headstart.classify.compare.report.feature_map import draw_map, lay_out
from headstart.classify.compare.report.page import page_text
from headstart.classify.compare.report.tables import side_by_side, table, to_csv, to_markdown
from headstart.classify.compare.report.training_plots import training_history
from headstart.classify.compare.report.write import read_results, write_report
from headstart.classify.finetune.candidates import Candidate
from headstart.classify.finetune.epoch_choice import Judged
from headstart.classify.finetune.search import Search, Trial
from headstart.classify.finetune.settings import FineTuneSettings
from headstart.errors import DataError
from pictures import HOSTILE


@pytest.fixture(scope="module")
def page(comparison):
    return page_text(comparison)


def test_the_page_says_the_verdict_and_shows_every_approach(comparison, page):
    results = comparison.results
    assert html.escape(results["verdict"], quote=False) in html.unescape(page).replace("&", "&amp;")
    for one in results["approaches"]:
        assert f"{100 * one['accuracy']:.1f} %" in page
        assert one["name"] in page
    for key in ("cost", "reliability", "recall", "map"):
        assert f'class="plot {key}"' in page
    assert results["dataset"]["fingerprint"] in page
    assert "headstart compare transfer-vs-finetune &#39;&lt;b&gt;&#39;" in page


def test_hostile_names_are_text(page):
    assert not re.search(r"<script>document", page)
    assert not re.search(r"<(img|b) (src|onload)", page)
    assert page.count("<script") == 2, "the data and the page's own script"
    assert "javascript:" not in page


@pytest.mark.parametrize("name", ["caf\udce9", "a\nb", "\x01", "名前", "javascript:alert(1)"])
def test_a_name_of_any_bytes_gives_a_page(comparison, name):
    results = json.loads(json.dumps(comparison.results))
    results["dataset"]["path"] = name
    results["dataset"]["classes"][0] = name
    text = page_text(replace(comparison, results=results))
    text.encode("utf-8")
    assert 'href="javascript:' not in text


def test_the_policy_allows_the_pages_own_style_and_script_and_nothing_else(page):
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1])
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        inside = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{rule} 'sha256-{digest}'" in policy
    assert not re.search(r'\sstyle="', page), "an inline style would be blocked"


def test_the_page_names_no_place_to_load_from(page):
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(place.startswith(("data:", "#")) for place in loaded), loaded
    assert "@import" not in page
    assert not re.findall(r"url\((?!data:|#)", page)


def test_ids_are_unique_and_plots_refer_to_their_own(page):
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'xlink:href="#([^"]+)"', page)) <= set(ids)


def test_each_photograph_is_in_the_page_once(comparison, page):
    found = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", page)
    assert len(found) == len(set(found)) >= len(comparison.evidence.paths)


def test_the_page_has_the_doctors_findings_and_the_learning_curve(comparison, page):
    results = comparison.results
    assert "What the data doctor found" in page
    for line in results["doctor"]["summary"]:
        assert html.escape(line) in page
    assert "Labels to look at" in page
    assert len(results["doctor"]["label_errors"]) >= 3, "labels that lie"
    assert 'class="plot curve"' in page
    assert results["curve"]["points"][-1]["images"] == results["dataset"]["training"]


def test_a_page_without_a_curve_does_not_name_one(comparison):
    without = {**comparison.results, "curve": None}
    assert 'id="curve"' not in page_text(replace(comparison, results=without))


def test_the_same_results_give_the_same_page(comparison, page):
    assert page_text(comparison) == page


def test_a_report_is_four_files_and_reads_back(comparison, tmp_path):
    written = write_report(comparison, tmp_path / "report")
    assert [path.name for path in written] == [
        *("index.html", "results.json", "results.csv", "report.md")
    ]
    assert read_results(tmp_path / "report") == json.loads(json.dumps(comparison.results))
    assert not list((tmp_path / "report").glob(".*"))


def test_a_report_that_cannot_be_written_is_told(comparison, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write the report to"):
        write_report(comparison, tmp_path / "file" / "report")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no report in .*: 'compare transfer-vs-finetune --out"),
        ("{", "is not the results of a comparison"),
        ("[]", "is not the results of a comparison"),
        ('{"version": 1}', "results version 1, this headstart reads 3: run the comparison again"),
    ],
)
def test_what_is_no_report_is_told(tmp_path, text, message):
    if text is not None:
        (tmp_path / "results.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read_results(tmp_path)


def test_the_csv_has_every_figure_of_every_approach(comparison):
    lines = list(csv.DictReader(io.StringIO(to_csv(comparison.results))))
    for line, one in zip(lines, comparison.results["approaches"], strict=True):
        assert line["name"] == one["name"]
        assert float(line["brier"]) == one["brier"]
        assert float(line["ece_high"]) == one["intervals"]["ece"][1]
        assert float(line["seconds_training"]) == one["seconds_by_part"]["training"]


def test_the_markdown_shows_names_as_text(comparison):
    results = json.loads(json.dumps(comparison.results))
    results["approaches"][0]["name"] = "a|b<script>`"
    text = to_markdown(results)
    assert "a\\|b\\<script\\>\\`" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(results["approaches"])
    cells = {len(re.findall(r"(?<!\\)\|", line)) - 1 for line in lines}
    assert cells == {len(table(results)[0])}


def test_two_reports_side_by_side_are_tested_where_they_share_their_images(comparison):
    first = comparison.results
    second = json.loads(json.dumps(first))
    second["approaches"][0]["mistakes"] = []
    second["approaches"][0]["accuracy"] = 1.0
    second["approaches"][1]["name"] = "another"
    table = {row[0]: row for row in side_by_side(first, second)}
    name = first["approaches"][0]["name"]
    wrong = len(first["approaches"][0]["mistakes"])
    assert table[name][-2] == f"{100 * (1 - first['approaches'][0]['accuracy']):+.1f}"
    assert table[name][-1] == f"{min(1.0, 2 * 0.5**wrong):.3f}"
    assert table["another"][1:3] == ["–", ""]
    second["dataset"]["evaluation_fingerprint"] = "0" * 64
    assert side_by_side(first, second)[0][-1] == "–", "other images: no paired test"


def test_the_tables_rows_name_what_the_results_hold(comparison):
    _, first, *_ = table(comparison.results)
    assert first[0] == comparison.results["approaches"][0]["name"]
    assert first[1].endswith(" %")


def test_plots_carry_a_text_alternative_and_escape_names(comparison):
    evidence = comparison.evidence
    truth = evidence.truth
    one, other = list(evidence.probabilities)[:2]
    pair = [
        Charted("<i>&", "transfer", evidence.probabilities[one]),
        Charted("$x$", "finetune", evidence.probabilities[other]),
    ]
    for svg in (
        reliability_diagram(pair, truth),
        recall_by_class(pair, truth, HOSTILE),
        accuracy_against_cost(comparison.results["approaches"]),
        training_history("h", "<i>", [{"val_loss": 0.5}, {"loss": 0.3, "val_loss": 0.4}]),
    ):
        root = ET.fromstring(svg)
        assert root.get("role") == "img"
        assert len(root.get("aria-label")) > 20
        assert "<i>" not in svg
        assert "style=" not in svg
        assert "#010203" not in svg, "ink is the page's own colour"


def test_the_map_has_a_point_for_each_image_in_order(comparison):
    truth = comparison.evidence.truth
    places, method = lay_out(comparison.evidence.features)
    right = np.arange(len(truth)) % 5 > 0
    svg = draw_map(places, method, truth, right, HOSTILE)
    points = re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)"', svg)
    assert len(points) == len(truth)
    order = np.argsort([float(x) for x, _ in points])
    np.testing.assert_allclose(places[order, 0], np.sort(places[:, 0]), atol=1e-6)
    assert method.startswith("PCA (")


def test_umap_lays_out_where_it_is_installed(monkeypatch):
    import sys
    import types

    class Half:
        def __init__(self, n_neighbors, random_state):
            self.seed = random_state

        def fit_transform(self, X):
            return X[:, :2] * self.seed

    monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(UMAP=Half))
    places, method = lay_out(np.random.default_rng(0).random((20, 5), dtype=np.float32), seed=7)
    assert (places.shape, method) == ((20, 2), "UMAP")


def test_the_page_shows_what_a_search_tried_and_what_it_did_not(comparison):
    results = json.loads(json.dumps(comparison.results))
    candidate = Candidate("all", "random", "trained", 1e-3, input_size=96)
    trial = Trial(candidate, 0, 2, 1, Judged(0.25, 0.9, 1.0), 3, [{"epoch": 0}], 9.0, None)
    search = Search([trial], [(replace(candidate, unfreeze="conv_dw_7"), 4.2)], 17, 8)
    results["approaches"][-1]["budget"] = search.describe(FineTuneSettings(budget="3"))
    text = page_text(replace(comparison, results=results))
    assert "By the log loss of 17 training images held out" in text
    assert "the budget of 3 minutes did not bear" in text
    assert "<td>1 of 2</td><td>0.250</td><td>90.0 %</td><td>9.0 s</td>" in text
    assert "<td>not tried</td><td>–</td><td>–</td><td>about 4.2 min</td>" in text
    assert "from all, start random, batch norm trained, learning rate 0.001" in text
