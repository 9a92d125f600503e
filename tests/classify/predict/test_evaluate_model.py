"""A saved classifier on labelled images: the same figures as in training, and what is told."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from headstart.classify.predict.evaluate_model import evaluate_model, pick_images
from headstart.classify.predict.labelled import label_dataset
from headstart.classify.saved.load import load_model
from headstart.classify.saved.trained_on import marks_of
from headstart.errors import DataError, OptionError
from headstart.extract.features import load_features
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source
from pictures import COLOURS, paint


@pytest.fixture
def trained(colour_head, tmp_path, fake_engine):
    """A head on the coloured pictures, a fifth held out: record, model, file, options."""
    record, path = colour_head
    options = Execution(cache=tmp_path / "cache")
    return record, load_model(path), path, options


@pytest.fixture
def new(tmp_path):
    """Twelve new pictures, four a colour; two of them lie about it."""
    root = tmp_path / "new"
    for c, (name, colour) in enumerate(COLOURS.items()):
        for number in range(4):
            paint(root / name / f"{number}.png", colour, seed=7000 + 10 * c + number)
    (root / "red" / "0.png").rename(root / "blue" / "red0.png")
    (root / "red" / "1.png").rename(root / "green" / "red1.png")
    return root


def test_new_images_are_all_evaluated_and_mistakes_named(headstart, trained, new):
    _, _, path, options = trained
    status, out, err = headstart("evaluate", path, new, "--cache", options.cache, "--json")
    told = json.loads(out)
    assert status == 0
    assert told["version"] == 1
    assert set(told) >= {
        *("model", "data", "evaluation", "figures", "classes", "per_class", "confusion"),
        *("most_confused", "mistakes", "failed", "seen_in_training"),
    }
    assert told["data"]["split"] == "all"
    evaluation = told["evaluation"]
    assert set(evaluation) == {
        *("split", "n", "accuracy", "ci95", "macro_f1", "log_loss", "ece"),
    }
    assert (evaluation["n"], evaluation["accuracy"]) == (12, 10 / 12)
    assert evaluation["ci95"] == told["figures"]["accuracy"]["ci95"]
    for name in ("macro_f1", "log_loss", "ece"):
        assert evaluation[name] == pytest.approx(told["figures"][name]["value"])
    assert np.array(told["confusion"]).sum() == 12
    assert [(one["true"], one["predicted"]) for one in told["mistakes"]] in (
        [("blue", "red"), ("green", "red")],
        [("green", "red"), ("blue", "red")],
    )
    assert {one["path"] for one in told["mistakes"]} == {
        str(new / "blue" / "red0.png"),
        str(new / "green" / "red1.png"),
    }
    assert told["seen_in_training"] == {"images": 0, "evaluation": None}
    assert "training images" not in err

    status, out, _ = headstart("evaluate", path, new, "--cache", options.cache, "--mistakes", "1")
    assert status == 0
    assert "logreg on 12 images: all images of" in out
    assert "2 mistakes, the surest first" in out
    assert "… and 1 more: --mistakes 2 or --json shows all" in out


def test_training_images_are_found_by_content_and_the_others_evaluated_apart(
    headstart, trained, photographs, tmp_path
):
    record, _, path, options = trained
    renamed = tmp_path / "renamed"
    for file in photographs.rglob("*.*"):
        (renamed / file.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, renamed / file.parent.name / f"x{file.name}")
    arguments = ("evaluate", path, renamed, "--cache", options.cache)
    status, out, err = headstart(*arguments, "--json")
    seen = json.loads(out)["seen_in_training"]
    held_out = record["evaluation"]
    assert status == 0
    assert seen["images"] == 30 - held_out["n"]
    assert {**seen["evaluation"], "split": ""} == {**held_out, "split": ""}
    assert f"{seen['images']} of these 30 images were among the model's training images" in err
    assert f"accuracy on the {held_out['n']} not seen in training" in headstart(*arguments)[1]


def test_only_training_images_are_told_as_such(trained, photographs):
    _, model, _, options = trained
    dataset = read_dataset(photographs)
    known = load_features(
        [i.path for i in dataset.images], feature_source(execution=options)
    ).digests
    run = evaluate_model(replace(model, trained_on=marks_of(known)), dataset, options)
    assert run.record["seen_in_training"] == {"images": 30, "evaluation": None}
    assert "30 of these 30 images" in run.warnings[-1]
    run = evaluate_model(replace(model, trained_on=None), dataset, options)
    assert run.record["seen_in_training"] is None
    assert "does not say which images it was trained on" in run.warnings[-1]


def test_what_fails_is_listed_and_blocks_change_nothing(trained, new):
    _, model, _, options = trained
    (new / "red" / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    images = read_dataset(new).images
    one_block, many = (label_dataset(model, images, options, block=size) for size in (100, 5))
    np.testing.assert_allclose(many.probabilities, one_block.probabilities, atol=1e-6)
    assert (many.images, many.digests) == (one_block.images, one_block.digests)
    whole = evaluate_model(model, read_dataset(new), options).record
    assert [f["path"] for f in whole["failed"]] == [str(new / "red" / "torn.jpg")]
    assert whole["data"]["images"] == 13
    assert whole["evaluation"]["n"] == 12


def test_failures_are_judged_by_the_shared_option(trained, new):
    _, model, _, options = trained
    (new / "red" / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError, match=r"1 of 13 images failed, --max-failures allows 0"):
        evaluate_model(model, read_dataset(new), options, max_failures="0")
    for file in new.rglob("*.png"):
        file.write_bytes(b"")
    with pytest.raises(DataError, match="none of the 13 images can be used"):
        evaluate_model(model, read_dataset(new), options)


def test_a_dataset_may_lack_classes_of_the_model(headstart, trained, new):
    _, _, path, options = trained
    shutil.rmtree(new / "blue")
    status, out, _ = headstart("evaluate", path, new, "--cache", options.cache, "--json")
    told = json.loads(out)
    assert status == 0
    assert told["classes"] == ["blue", "green", "red"]
    blue = told["per_class"][0]
    assert (blue["images"], blue["recall"]) == (0, None)
    status, out, _ = headstart("evaluate", path, new, "--cache", options.cache)
    assert "no images here, and none taken for it: blue" in out


def test_unknown_classes_are_refused_before_anything_is_extracted_or_mapped(
    headstart, trained, new, fake_engine
):
    _, _, path, options = trained
    (new / "red").rename(new / "crimson")
    paint(new / "grey" / "0.png", (120, 120, 120), seed=1)
    before = fake_engine.images
    arguments = ("evaluate", path, new, "--cache", options.cache)
    status, _, err = headstart(*arguments)
    assert status == 1
    assert "classes that the model does not know (and images of them): crimson (2), grey" in err
    assert fake_engine.images == before
    status, out, err = headstart(
        *arguments, "--class-map", "crimson=red", "--class-map", "grey=", "--json"
    )
    told = json.loads(out)
    assert status == 0
    assert told["data"]["left_out"] == {"grey": 1}
    assert told["data"]["class_map"] == {"crimson": "red", "grey": ""}
    assert told["evaluation"]["n"] == 12
    assert told["classes"] == ["blue", "green", "red"]
    assert "1 images of classes mapped to nothing are left out: grey" in err


def test_the_evaluation_split_is_taken_where_there_is_one(tmp_path, photographs):
    lines = ["path,label,split"]
    for folder in sorted(photographs.iterdir()):
        for number, file in enumerate(sorted(folder.iterdir())):
            lines.append(f"{file},{folder.name},{('train', 'val', 'test')[number % 3]}")
    manifest = tmp_path / "m.csv"
    manifest.write_text("\n".join(lines))
    dataset = read_dataset(manifest)
    counts = {}
    for split in (None, "train", "val", "test", "all"):
        name, images = pick_images(dataset, split)
        counts[split] = (name, len(images))
    assert counts == {
        None: ("test", 9),
        "train": ("train", 12),
        "val": ("validation", 9),
        "test": ("test", 9),
        "all": ("all", 30),
    }
    with pytest.raises(DataError, match=r"has no test split; it has no splits: --split all takes"):
        pick_images(read_dataset(photographs), "test")
    with pytest.raises(OptionError, match="unknown split 'tset'; did you mean 'test'"):
        pick_images(dataset, "tset")


def test_abstention_says_what_it_would_have_meant_here(headstart, trained, new):
    _, _, path, options = trained
    arguments = ("evaluate", path, new, "--cache", options.cache, "--abstain", "0.8")
    status, out, _ = headstart(*arguments, "--json")
    told = json.loads(out)
    assert status == 0
    kept = told["abstention"]["kept"]
    assert kept in told["abstention"]["curve"]
    assert kept["wished"] == 0.8
    unsure = sum(one["abstained"] for one in told["mistakes"])
    labelled = kept["coverage"] * 12
    assert kept["risk"] * labelled == pytest.approx(2 - unsure)
    assert told["abstention"]["curve"][-1]["coverage"] == 1
    status, out, _ = headstart(*arguments)
    assert "abstention: what is labelled when the most unusual images are left" in out
    status, _, err = headstart(*arguments[:-1], "80")
    assert status == 1
    assert "--abstain takes the share of images to label" in err.splitlines()[-1]


def test_the_same_inputs_give_the_same_document(trained, new):
    _, model, _, options = trained
    first, second = (evaluate_model(model, read_dataset(new), options).record for _ in range(2))
    assert first == second
