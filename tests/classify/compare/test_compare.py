"""The protocol and its document: what is chosen, tested, told."""

import json
from dataclasses import replace
from importlib import resources

import jsonschema
import numpy as np
import pytest

from fakes import pretended_network
from headstart.classify.compare.compare import compare
from headstart.classify.compare.report.page import page_text
from headstart.classify.statistics.paired_tests import paired_test
from headstart.errors import OptionError
from headstart.extract.backbone.preprocessing import Declared
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from near import near
from networks import tiny_onnx
from pictures import paint


def without_times(results):
    text = json.loads(json.dumps(results))
    for approach in text["approaches"]:
        for key in ("seconds_by_part", "cpu_seconds", "peak_memory_mb", "reused"):
            approach.pop(key)
        for key in ("seconds", "seconds_to_find", "seconds_to_train_again", "images_per_second"):
            approach.pop(key)
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
    assert without_times(run()[0]) == without_times(second), "as kept"


def test_the_tests_are_those_of_the_labels(run):
    results, _ = run()
    right = {}
    for approach in results["approaches"]:
        right[approach["name"]] = ~np.isin(
            np.arange(results["dataset"]["evaluation"]), approach["mistakes"]
        )
        assert right[approach["name"]].mean() == pytest.approx(approach["accuracy"])
    tests = results["tests"]
    expected = paired_test(right[tests["first"]], right[tests["second"]])
    assert tests["mcnemar_p"] == expected["mcnemar_p"]
    assert len(tests["pairs"]) == 3
    assert all(pair["holm_p"] >= pair["mcnemar_p"] for pair in tests["pairs"])


def test_the_best_of_a_kind_is_picked_on_training_data(comparison):
    results = comparison.results
    heads = [head for head in results["approaches"] if head["kind"] == "transfer"]
    best = max(heads, key=lambda head: head["chosen_by"])
    assert results["tests"]["first"] == best["name"]


def test_a_network_that_was_hardly_tuned_gets_no_verdict(run):
    results, _ = run(network=pretended_network(candidates=1, epochs=2))
    assert results["outcome"] == "untuned"
    assert results["verdict"].startswith("Fine-tuning was not tuned: no verdict.")
    assert results["use"] == results["tests"]["first"]
    jsonschema.validate(json.loads(json.dumps(results)), schema())


def test_finding_costs_what_was_tried_and_training_again_does_not(run):
    results, _ = run()
    for approach in results["approaches"]:
        parts = approach["seconds_by_part"]
        again = parts["features"] + parts["training"]
        assert approach["seconds_to_train_again"] == pytest.approx(again, abs=0.01)
        assert approach["seconds_to_find"] == pytest.approx(again + parts["selection"], abs=0.01)


def test_near_copies_across_splits_are_reported_and_tested_with_and_without_them(
    tmp_path, fake_engine
):
    from PIL import Image

    colours = {"red": (200, 40, 40), "green": (40, 180, 60), "blue": (40, 60, 200)}
    for c, (label, colour) in enumerate(colours.items()):
        for number in range(12):
            part = "train" if number < 8 else "test"
            path = tmp_path / "data" / part / label / f"{number}.png"
            paint(path, colour, seed=100 * c + number)
        original = tmp_path / "data" / "train" / label / "0.png"
        with Image.open(original) as image:  # the same picture, saved again
            image.convert("RGB").save(tmp_path / "data" / "test" / label / "copy.jpg", quality=95)
    source = feature_source(execution=Execution(cache=tmp_path / "cache"))
    results = compare(
        read_dataset(tmp_path / "data"),
        [source],
        ["ridge"],
        [pretended_network()],
    ).results
    copies = results["dataset"]["near_copies"]
    assert copies >= 3
    n = results["dataset"]["evaluation"] - copies
    head, network = results["approaches"]
    assert head["without_near_copies"]["n"] == n
    without = results["tests"]["without_near_copies"]
    accuracies = [a["without_near_copies"]["accuracy"] for a in (head, network)]
    assert without["difference"] == pytest.approx(accuracies[1] - accuracies[0])
    jsonschema.validate(json.loads(json.dumps(results)), schema())


def test_two_backbones_stand_in_one_document(photographs, tmp_path, fake_engine):
    one = feature_source(execution=Execution(cache=tmp_path / "cache"))
    other = replace(one, spec=replace(one.spec, backbone="vgg16"))
    results = compare(
        read_dataset(photographs),
        [one, other],
        ["ridge"],
        [pretended_network()],
    ).results
    assert [entry["name"] for entry in results["approaches"]] == [
        "ridge on mobilenet",
        "fine-tuned from block on mobilenet",
        "ridge on vgg16",
        "fine-tuned from block on vgg16",
    ]
    assert [bench["backbone"] for bench in results["backbones"]] == ["mobilenet", "vgg16"]
    assert results["tests"]["first"].startswith("ridge on")


@pytest.fixture
def with_files(photographs, tmp_path, fake_engine):
    """Compare heads on MobileNet, where asked, and on so many ONNX files."""
    del fake_engine  # it is in place

    def again(*heads, files, mobilenet=False):
        where = Execution(cache=tmp_path / "cache")
        raw = Declared(mean="0", std="1", scale="1", channels="rgb")
        paths = [tiny_onnx(tmp_path / f"{seed}.onnx", seed=seed) for seed in range(files)]
        recipes = [Recipe()] * mobilenet + [Recipe(str(path), declared=raw) for path in paths]
        sources = [feature_source(recipe, where) for recipe in recipes]
        return compare(read_dataset(photographs), sources, heads, [pretended_network()])

    return again


def test_that_an_onnx_file_was_not_fine_tuned_is_said_with_its_reason(with_files):
    comparison = with_files("ridge", files=1, mobilenet=True)
    assert [entry["name"] for entry in comparison.results["approaches"]] == [
        "ridge on mobilenet",
        "fine-tuned from block on mobilenet",
        "ridge on 0.onnx",
    ]
    line = (
        "0.onnx was not fine-tuned: an ONNX file has no Keras graph, heads on its features are "
        "what is possible"
    )
    assert line in comparison.results["warnings"]
    assert line in page_text(comparison)


@pytest.mark.parametrize(("heads", "files"), [(["ridge"], 2), (["ridge", "centroid"], 1)])
def test_heads_alone_are_compared_where_nothing_can_be_fine_tuned(with_files, heads, files):
    comparison = with_files(*heads, files=files)
    results = comparison.results
    jsonschema.validate(json.loads(json.dumps(results)), schema())
    names = [entry["name"] for entry in results["approaches"]]
    assert len(names) == 2
    assert {results["tests"]["first"], results["tests"]["second"]} == set(names)
    assert results["use"] in names
    assert (results["outcome"], results["points_per_minute"]) == ("tied", None)
    page = page_text(comparison)
    assert "Which head on frozen features?" in page
    assert "fine-tuned network" not in page


def test_one_head_on_one_onnx_file_is_nothing_to_compare(with_files):
    with pytest.raises(OptionError, match=r"one head on 0\.onnx is nothing to compare, and an ON"):
        with_files("ridge", files=1)


def test_backbones_of_one_name_are_told_apart_by_their_features(photographs, tmp_path, fake_engine):
    recipes = [Recipe(), Recipe(pooling="max")]
    sources = [feature_source(recipe, Execution(cache=tmp_path)) for recipe in recipes]
    results = compare(read_dataset(photographs), sources, ["ridge"], [pretended_network()]).results
    names = [entry["name"] for entry in results["approaches"]]
    assert names[0] == f"ridge on mobilenet ({sources[0].spec.id})"
    assert len(set(names)) == 4


def test_a_typing_error_costs_no_extraction(run):
    with pytest.raises(OptionError, match="unknown head 'ridgy'; did you mean 'ridge'"):
        run("ridgy")
