"""fit head: several heads, one winner by the rule, one record each."""

import functools

import pytest

from headstart.api.fit_head import FittedHeads
from headstart.classify.data.folds import choosing_rows
from headstart.classify.fit.fit_heads import HeadSettings, fit_heads
from headstart.classify.heads import fitting, training_rows
from headstart.errors import OptionError
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source


@pytest.fixture
def run(photographs, fake_engine, tmp_path):
    dataset = read_dataset(photographs)

    def go(names, **options):
        features = options.pop("features", {})
        source = feature_source(Recipe(**features), Execution(cache=tmp_path / "cache"))
        out = options.pop("out", None)
        return fit_heads(dataset, source, HeadSettings(names, **options), out)

    return go


def test_the_rule_of_one_standard_error_takes_the_cheapest_good_head(run):
    best, cheapest = (run(["centroid", "logreg"], rule=rule) for rule in ("best", "one-se"))
    assert [record["model"] for record in best.records] == ["centroid", "logreg"]
    assert cheapest.best["model"] == cheapest.within_one_se[0]
    assert set(best.within_one_se) <= {"centroid", "logreg"}


def test_the_record_has_calibration_before_and_after_with_its_table(run):
    (record,) = run(["logreg"]).records
    calibration = record["calibration"]
    assert calibration["bins"] == 15
    assert calibration["after"]["log_loss"] == pytest.approx(record["evaluation"]["log_loss"])
    assert sum(row["n"] for row in calibration["reliability"]) == record["evaluation"]["n"]
    assert record["taps"] == {"layers": ["conv_pw_13_relu"], "views": "one view"}


def test_few_images_a_class_are_told(run):
    line = "3 of 3 classes have fewer than 20 training images, so their figures are rough: blue ("
    assert any(warning.startswith(line) for warning in run(["centroid"]).warnings)


def test_heads_with_trees_are_saved_by_joblib_and_say_what_that_means(run, tmp_path):
    warnings = run(["random-forest"], out=tmp_path / "m.headstart").warnings
    assert "written by joblib: it loads only with --trust-joblib" in warnings[-1]


def test_auto_leaves_out_heads_that_cannot_weigh_classes(run):
    names = [record["model"] for record in run(["auto"], class_weight="balanced").records]
    assert names == ["ridge", "logreg", "linear-svm", "svm"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "first"}, "unknown rule 'first'; valid: best, one-se"),
        ({"class_weight": "rare"}, "unknown class weight 'rare'; valid: balanced"),
    ],
)
def test_unknown_rules_and_weights_are_refused_before_anything_runs(
    run, fake_engine, options, message
):
    with pytest.raises(OptionError, match=message):
        run(["logreg"], **options)
    assert fake_engine.images == 0


def test_layer_auto_names_the_backbones_whose_stages_it_knows(run):
    with pytest.raises(OptionError, match="knows the stages of mobilenet, vgg16, not of resnet50"):
        run(["logreg"], features={"backbone": "resnet50", "layers": ("auto",)})


def test_views_are_part_of_the_choice_with_layer_auto(run):
    result = run(["logreg"], features={"views": "original,flip", "layers": ("auto",)})
    assert result.records[0]["taps"]["views"] in ("one view", "mean of 2 views")


@pytest.fixture
def no_memory(monkeypatch):
    """There is no memory for a table of features that lies on the disk."""
    monkeypatch.setattr(training_rows, "COPIES", 10**12)


@pytest.mark.usefixtures("no_memory")
def test_heads_that_need_the_whole_table_are_left_out_of_auto_where_it_does_not_fit(run):
    result = run(["auto"], in_memory=0)
    names = [one["model"] for one in result.records]
    assert names == ["centroid", "ridge", "lda", "logreg", "linear-svm"]
    assert any(line.startswith("svm is left out: ") for line in result.warnings)


@pytest.mark.usefixtures("no_memory")
def test_a_head_that_is_named_and_does_not_fit_is_refused_with_one_that_does(run):
    with pytest.raises(OptionError, match=r"features in this head would take .*--model centroid"):
        run(["svm"], in_memory=0)


def test_on_the_disk_and_in_memory_heads_are_the_same(run):
    on_the_disk = run(["logreg", "knn"], in_memory=0).records
    in_memory = run(["logreg", "knn"]).records
    for one, other in zip(on_the_disk, in_memory, strict=True):
        assert one["params"] == other["params"]
        assert one["evaluation"]["log_loss"] == pytest.approx(
            other["evaluation"]["log_loss"], rel=1e-3
        )


@pytest.mark.parametrize("name", ["logreg", "knn"])
def test_a_head_chosen_on_a_sample_says_what_all_rows_won_over_it(run, monkeypatch, name):
    assert run([name]).best["more_rows"] is None
    monkeypatch.setattr(fitting, "choosing_rows", functools.partial(choosing_rows, many=12))
    result = run([name])
    few, evaluation = result.best["more_rows"], result.best["evaluation"]
    assert few["images"] == 12 < few["of"] == 30 - evaluation["n"]
    assert few["accuracy"] + few["difference"] == pytest.approx(evaluation["accuracy"])
    assert few["ci95"][0] <= few["accuracy"] <= few["ci95"][1]
    (line,) = (line for line in FittedHeads(result).blocks() if str(line).startswith("fitted on"))
    assert line.startswith(f"fitted on 12 of its {few['of']} images alone: ")
    assert f"all of them won {100 * few['difference']:+.1f} (" in line
