"""What runs, what is reused, and in which splits."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from fakes import pretended_network
from headstart.classify.compare.benches import Bench, check_same_images
from headstart.classify.data.table import load_table
from headstart.errors import DataError
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source
from pictures import paint

ALL = ["knn", "ridge", "fine-tuned from block"]


def test_what_was_computed_is_reused_and_one_more_head_runs_alone(run):
    first, ran = run()
    assert ran == ALL
    assert [approach["reused"] for approach in first["approaches"]] == [False] * 3
    again, ran = run()
    assert ran == []
    assert [approach["reused"] for approach in again["approaches"]] == [True] * 3
    assert again["approaches"][0]["seconds"] == first["approaches"][0]["seconds"]
    _, ran = run("ridge", "knn", "centroid")
    assert ran == ["centroid"]


def test_results_of_other_code_are_not_reused(run):
    run(recipe="the solver as it was")
    assert run(recipe="the solver as it was")[1] == []
    assert run(recipe="the solver as it is")[1] == ALL


@pytest.mark.parametrize("change", ["seed", "label", "image"])
def test_other_inputs_are_computed_anew(run, photographs, change):
    run()
    if change == "label":
        (photographs / "red" / "1.jpg").rename(photographs / "blue" / "red1.jpg")
    if change == "image":
        paint(photographs / "red" / "more.png", (200, 50, 40), seed=999)
    _, ran = run(seed=1 if change == "seed" else 0)
    assert {"knn", "ridge"} <= set(ran)


def test_a_network_of_other_settings_is_computed_anew(run):
    run()
    assert run(network=pretended_network(epochs=9))[1] == ["fine-tuned from block"]


def test_a_renamed_image_is_the_same_image(run, photographs):
    run()
    for path in photographs.rglob("9.jpg"):
        path.rename(path.with_name("9.jpeg"))
    assert run()[1] == []


def test_a_damaged_result_is_computed_again(run, tmp_path):
    run()
    for path in (tmp_path / "cache" / "results").glob("*.npz"):
        path.write_bytes(path.read_bytes()[:-50])
    assert run()[1] == ALL


def test_a_folder_that_cannot_be_written_costs_nothing_but_reuse(run, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "results").write_text("in the way")
    run()
    assert run()[1] == ALL


def test_progress_counts_the_approaches_and_tells_the_time_left(run, heard):
    run()
    begun = [line for line in heard.stages if " left" in line]
    assert [line.split(",")[0] for line in begun] == [
        f"{i}/3 {name}" for i, name in enumerate(ALL, 1)
    ]
    assert all("about" in line for line in begun)


def test_a_dataset_is_laid_out_once(run, heard):
    run()
    lines = heard.stages
    assert [line for line in lines if line.startswith(("features of", "extracting"))] == [
        "features of mobilenet"
    ]
    assert [line for line in lines if line.startswith("comparing images")] == []


def test_resplits_are_other_splits_of_the_same_images(run):
    results, ran = run(repeats=3)
    assert len(ran) == 9
    assert results["repeats"]["count"] == 3
    for approach in results["approaches"]:
        low, high = approach["repeats"]["ci95"]
        assert low <= approach["repeats"]["mean"] <= high
    _, ran = run(repeats=4)
    assert len(ran) == 3, "the three splits before are reused"


def test_what_a_split_needed_is_given_back_before_the_next(run):
    tables = []
    alive = []
    make = pretended_network()

    def watched(source):
        approach = make(source)

        def train(table, source):
            gc.collect()
            alive.append(sum(reference() is not None for reference in tables))
            tables.append(weakref.ref(table.split))
            return approach.run(table, source)

        return replace(approach, run=train)

    run(repeats=4, network=watched)
    assert len(alive) == 4
    assert max(alive) <= 1, "the dataset's own split alone stays"


@pytest.fixture
def laid_out(photographs, tmp_path, fake_engine):
    source = feature_source(execution=Execution(cache=tmp_path))
    dataset = read_dataset(photographs)
    return source, dataset, load_table(dataset, source)


def test_resplits_part_nothing_that_the_table_keeps_together(laid_out):
    source, dataset, table = laid_out
    table = replace(table, groups=np.arange(len(table.y)) // 3)
    bench = Bench(source, table, dataset.images, [])
    parts = []
    for number in (1, 2, 3):
        split = bench.on_split(number, 0).split
        assert not set(table.groups[split.fitting]) & set(table.groups[split.evaluation])
        assert len(split.fitting) + len(split.evaluation) == len(table.y)
        parts.append(tuple(split.evaluation))
    assert len(set(parts)) == 3


def test_backbones_that_read_other_images_are_not_compared(laid_out):
    source, _, table = laid_out
    fewer = replace(table, features=replace(table.features, digests=table.features.digests[1:]))
    with pytest.raises(DataError, match="could not read the same images"):
        check_same_images([Bench(source, some, [], []) for some in (table, fewer)])
