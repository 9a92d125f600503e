"""The protocol: what runs, what is reused, what the document holds."""

import json
from dataclasses import replace
from importlib import resources

import jsonschema
import numpy as np
import pytest

from fakes import FakeEngine, pretend_to_finetune
from headstart.classify.compare import compare as module
from headstart.classify.compare import run_all as runs
from headstart.classify.compare.compare import compare
from headstart.classify.data.table import load_table
from headstart.classify.finetune.finetune import FineTuneSettings
from headstart.classify.statistics.paired_tests import paired_test
from headstart.errors import DataError, OptionError
from headstart.extract.images.dataset import read_dataset
from headstart.extract.source import FeatureOptions, feature_source
from near import near
from pictures import paint


@pytest.fixture
def run(photographs, tmp_path, monkeypatch):
    """Compare on the coloured pictures; counts what is really run."""
    ran = []
    monkeypatch.setattr(module, "finetune_approach", pretend_to_finetune)
    really = runs._run_one
    monkeypatch.setattr(
        runs, "_run_one", lambda job, *rest: ran.append(job.approach.name) or really(job, *rest)
    )

    def again(*heads, **options):
        ran.clear()
        source = feature_source(FeatureOptions(cache=tmp_path / "cache", make_engine=FakeEngine))
        comparison = compare(
            read_dataset(photographs),
            [source],
            heads or ("ridge", "knn"),
            [[FineTuneSettings()]],
            **options,
        )
        return comparison.results, list(ran)

    return again


def without_times(results):
    text = json.loads(json.dumps(results))
    for entry in text["approaches"]:
        for key in ("seconds", "seconds_by_part", "cpu_seconds", "peak_memory_mb", "reused"):
            entry.pop(key)
        entry.pop("images_per_second")
    for bench in text["backbones"]:
        for key in ("seconds", "extracted", "images_per_second"):
            bench.pop(key)
    for key in ("verdict", "use", "points_per_minute"):  # they follow from the seconds
        text.pop(key)
    return text


def schema():
    text = resources.files("headstart.classify.compare").joinpath("results.schema.json").read_text()
    return json.loads(text)


def test_the_document_keeps_to_its_schema(run):
    jsonschema.Draft202012Validator.check_schema(schema())
    results, _ = run()
    jsonschema.validate(json.loads(json.dumps(results)), schema())
    results, _ = run(repeats=2)
    jsonschema.validate(json.loads(json.dumps(results)), schema())
    results["approaches"][0]["accuracy"] = 1.5
    with pytest.raises(jsonschema.ValidationError, match=r"1\.5 is greater than the maximum"):
        jsonschema.validate(json.loads(json.dumps(results)), schema())


def test_the_same_inputs_give_the_same_document_but_for_times(run):
    first, _ = run()
    second, ran = run(recompute=True)
    assert ran == ["knn", "ridge", "fine-tuned from block"]
    assert without_times(second) == near(without_times(first))


def test_what_was_computed_is_reused_and_one_more_head_runs_alone(run):
    first, ran = run()
    assert ran == ["knn", "ridge", "fine-tuned from block"]
    assert [one["reused"] for one in first["approaches"]] == [False] * 3
    again, ran = run()
    assert ran == []
    assert [one["reused"] for one in again["approaches"]] == [True] * 3
    assert without_times(again) == near(without_times(first))
    assert again["approaches"][0]["seconds"] == first["approaches"][0]["seconds"]
    _, ran = run("ridge", "knn", "centroid")
    assert ran == ["centroid"]


@pytest.mark.parametrize("change", ["seed", "label", "image"])
def test_other_inputs_are_computed_anew(run, photographs, change):
    run()
    if change == "label":
        (photographs / "red" / "1.jpg").rename(photographs / "blue" / "red1.jpg")
    if change == "image":
        paint(photographs / "red" / "more.png", (200, 50, 40), seed=999)
    _, ran = run(seed=1 if change == "seed" else 0)
    assert {"knn", "ridge"} <= set(ran)


def test_a_renamed_image_is_the_same_image(run, photographs):
    run()
    for path in photographs.rglob("9.jpg"):
        path.rename(path.with_name("9.jpeg"))
    assert run()[1] == []


def test_a_damaged_result_is_computed_again(run, tmp_path):
    run()
    for path in (tmp_path / "cache" / "results").glob("*.npz"):
        path.write_bytes(path.read_bytes()[:-50])
    assert run()[1] == ["knn", "ridge", "fine-tuned from block"]


def test_a_folder_that_cannot_be_written_costs_nothing_but_reuse(run, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "results").write_text("in the way")
    run()
    assert run()[1] == ["knn", "ridge", "fine-tuned from block"]


def test_progress_counts_the_approaches_and_tells_the_time_left(run, heard):
    run()
    counted = [line for line in heard.stages if line[0].isdigit()]
    assert [line.split(",")[0] for line in counted if "left" in line] == [
        "1/3 knn",
        "2/3 ridge",
        "3/3 fine-tuned from block",
    ]
    assert all("about" in line for line in counted if "left" in line)


def test_the_tests_are_those_of_the_labels(run):
    results, _ = run()
    right = {}
    for one in results["approaches"]:
        right[one["name"]] = ~np.isin(np.arange(results["dataset"]["evaluation"]), one["mistakes"])
        assert right[one["name"]].mean() == pytest.approx(one["accuracy"])
    tests = results["tests"]
    expected = paired_test(right[tests["first"]], right[tests["second"]])
    assert tests["mcnemar_p"] == expected.mcnemar_p
    assert len(tests["pairs"]) == 3
    assert all(pair["holm_p"] >= pair["mcnemar_p"] for pair in tests["pairs"])


def test_the_best_of_a_kind_is_picked_on_training_data(comparison):
    results = comparison.results
    heads = [one for one in results["approaches"] if one["kind"] == "transfer"]
    best = max(heads, key=lambda one: one["chosen_by"])
    assert results["tests"]["first"] == best["name"]


def test_resplits_are_other_splits_of_the_same_images(run):
    results, ran = run(repeats=3)
    assert len(ran) == 9
    assert results["repeats"]["count"] == 3
    for one in results["approaches"]:
        low, high = one["repeats"]["ci95"]
        assert low <= one["repeats"]["mean"] <= high
    _, ran = run(repeats=4)
    assert len(ran) == 3, "the three splits before are reused"


def test_resplits_part_nothing_that_the_table_keeps_together(photographs, tmp_path):
    source = feature_source(FeatureOptions(cache=tmp_path, make_engine=FakeEngine))
    dataset = read_dataset(photographs)
    table = load_table(dataset, source)
    table = replace(table, groups=np.arange(len(table.y)) // 3)
    bench = runs.Bench(source, table, dataset.images, [])
    parts = []
    for number in (1, 2, 3):
        split = runs._on_split(bench, number, 0).split
        assert not set(table.groups[split.fitting]) & set(table.groups[split.evaluation])
        assert len(split.fitting) + len(split.evaluation) == len(table.y)
        parts.append(tuple(split.evaluation))
    assert len(set(parts)) == 3


def test_a_slow_head_gets_no_learning_curve_unasked(run, monkeypatch):
    monkeypatch.setattr("headstart.classify.compare.beside.LONGEST", 0.0)
    results, _ = run()
    assert results["curve"] is None
    jsonschema.validate(json.loads(json.dumps(results)), schema())


def test_curve_and_findings_are_kept_with_the_results(run, monkeypatch):
    first, _ = run()
    for name in ("inspect", "learning_curve"):
        monkeypatch.delattr(
            f"headstart.classify.compare.beside.{name}"
        )  # would fail if it was asked
    again, _ = run()
    assert (again["curve"], again["doctor"]) == (first["curve"], first["doctor"])


def test_energy_is_left_out_where_the_machine_does_not_tell(run, monkeypatch):
    monkeypatch.setattr("headstart.classify.compare.cost.find_meters", list)
    results, _ = run()
    assert all("energy_joules" not in one for one in results["approaches"])


def test_energy_is_told_where_the_machine_does(run, monkeypatch):
    from headstart.classify.compare.energy import Meter

    monkeypatch.setattr("headstart.classify.compare.cost.find_meters", lambda: [Meter(lambda: 5.0)])
    results, _ = run()
    assert results["approaches"][0]["energy_joules"] == 0.0
    jsonschema.validate(json.loads(json.dumps(results)), schema())


def test_two_backbones_stand_in_one_document(photographs, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "finetune_approach", pretend_to_finetune)
    one = feature_source(FeatureOptions(cache=tmp_path / "cache", make_engine=FakeEngine))
    other = replace(one, spec=replace(one.spec, backbone="vgg16"))
    results = compare(
        read_dataset(photographs),
        [one, other],
        ["ridge"],
        [[FineTuneSettings()]],
    ).results
    assert [entry["name"] for entry in results["approaches"]] == [
        "ridge on mobilenet",
        "fine-tuned from block on mobilenet",
        "ridge on vgg16",
        "fine-tuned from block on vgg16",
    ]
    assert [bench["backbone"] for bench in results["backbones"]] == ["mobilenet", "vgg16"]
    assert results["tests"]["first"].startswith("ridge on")


def test_backbones_that_read_other_images_are_not_compared(comparison, photographs, tmp_path):
    source = feature_source(FeatureOptions(cache=tmp_path, make_engine=FakeEngine))
    dataset = read_dataset(photographs)
    table = load_table(dataset, source)
    fewer = replace(table, features=replace(table.features, digests=table.features.digests[1:]))
    benches = [runs.Bench(source, one, [], []) for one in (table, fewer)]
    with pytest.raises(DataError, match="could not read the same images"):
        runs.check_same_images(benches)


def test_a_typing_error_costs_no_extraction(run):
    with pytest.raises(OptionError, match="unknown head 'ridgy'; did you mean 'ridge'"):
        run("ridgy")
