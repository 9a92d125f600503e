"""The data doctor finds what was planted, and says what it cannot do."""

import csv
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.classify.doctor.findings import Copies, Seen
from headstart.classify.doctor.inspect import inspect
from headstart.classify.doctor.page import page_text, write_page
from headstart.errors import DataError
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source
from near import near
from pictures import COLOURS, paint

SHARED = Path(__file__).parents[4] / "shared"


@pytest.fixture
def examine(fake_engine, tmp_path):
    """Inspect a folder or manifest with the fake engine."""

    def go(root, **options):
        features = Execution(cache=tmp_path / "cache")
        return inspect(read_dataset(root), feature_source(execution=features), 0, **options)

    return go


def save_again(path, to, quality=80):
    to.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(path) as picture:
        picture.convert("RGB").save(to, quality=quality)
    return to


@pytest.fixture
def ward(tmp_path):
    """Train and test folders of three colours with five ailments.

    Two wrong labels, a copy across splits, a copy under another label and one within a
    class, a picture saved again across splits, a grey picture among the red.
    """
    root = tmp_path / "ward"
    for c, (name, colour) in enumerate(COLOURS.items()):
        for number in range(15):
            part = "train" if number < 12 else "test"
            paint(root / part / name / f"{number}.jpg", colour, seed=100 * c + number)
    train, test = root / "train", root / "test"
    (train / "red" / "0.jpg").rename(train / "blue" / "wrong.jpg")
    (test / "green" / "12.jpg").rename(test / "red" / "wrong.jpg")
    for source, to in (
        (train / "blue" / "1.jpg", train / "blue" / "within.jpg"),
        (train / "blue" / "2.jpg", train / "green" / "contradiction.jpg"),
        (train / "green" / "3.jpg", test / "green" / "leak.jpg"),
    ):
        to.write_bytes(source.read_bytes())
    save_again(train / "red" / "4.jpg", test / "red" / "again.jpg")
    paint(train / "red" / "grey.jpg", (128, 128, 128), seed=7)
    return root


def names(copies):
    return {image.path.name for image in copies.images}


def test_exact_copies_come_with_leaks_first_then_contradictions(examine, ward):
    found = examine(ward).duplicates
    assert [names(one) for one in found] == [
        {"3.jpg", "leak.jpg"},
        {"2.jpg", "contradiction.jpg"},
        {"1.jpg", "within.jpg"},
    ]
    assert [one.what for one in found] == ["across splits", "labels differ", "within a class"]
    assert [image.split for image in found[0].images] == ["train", "test"]


def test_a_picture_saved_again_in_another_split_is_the_first_near_copy(examine, ward):
    first = examine(ward).near_duplicates[0]
    assert names(first) >= {"4.jpg", "again.jpg"}  # twelve numbers an image: a third may join
    assert first.across_splits
    assert 0.99 < first.score <= 1


def test_wrong_labels_are_named_with_the_right_one(examine, ward):
    found = examine(ward).label_errors
    told = {(one.image.path.name, one.image.label): one.suggested for one in found}
    assert told["wrong.jpg", "blue"] == "red"
    assert told["wrong.jpg", "red"] == "green"
    assert all(one.score < one.suggested_probability for one in found)
    pytest.importorskip("cleanlab", reason="its verdict: headstart[doctor] is not installed")
    verdicts = [one.likely for one in found]
    assert any(verdicts)
    assert verdicts == sorted(verdicts, reverse=True)


def test_an_image_unlike_all_others_is_the_first_outlier(examine, ward):
    first = examine(ward).outliers[0]
    assert first.image.path.name == "grey.jpg"
    assert first.nearest.path.name != "grey.jpg"


def test_classes_are_counted_by_split_and_small_ones_are_flagged(examine, ward):
    found = examine(ward)
    assert found.splits == ["train", "test"]
    assert {one.name: one.splits for one in found.classes} == {
        "blue": {"train": 14, "test": 3},
        "green": {"train": 13, "test": 3},
        "red": {"train": 12, "test": 5},
    }
    assert all(one.small for one in found.classes)
    assert "classes with fewer than 20 training images: 3" in found.summary()


def test_the_document_has_all_and_is_json(examine, ward):
    (ward / "train" / "red" / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    document = json.loads(json.dumps(examine(ward).to_dict()))
    assert document["version"] == 1
    assert document["images"] == 51
    assert [Path(one["path"]).name for one in document["failed"]] == ["torn.jpg"]
    for group in (*document["duplicates"], *document["near_duplicates"]):
        count = len(group["paths"])
        assert len(group["labels"]) == len(group["splits"]) == count >= 2
        assert group["score"] <= 1
    for one in document["label_errors"]:
        assert set(one) == {
            *("path", "label", "split", "suggested", "score", "suggested_probability", "likely"),
        }
    assert set(document["outliers"][0]) == {"path", "label", "split", "score", "nearest"}


def test_a_second_inspection_runs_no_network_and_says_the_same(examine, ward, fake_engine, at_rest):
    first = examine(ward).to_dict()
    ran = fake_engine.images
    assert examine(ward).to_dict() == near(first)
    assert fake_engine.images == ran


def test_without_given_splits_the_held_out_fifth_is_one(examine, photographs):
    found = examine(photographs)
    assert found.splits == ["train", "held-out fifth"]
    assert sum(one.images for one in found.classes) == 30


def test_without_cleanlab_labels_are_ranked_and_the_verdict_names_its_extra(
    examine, ward, monkeypatch
):
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    found = examine(ward)
    assert {one.image.path.name for one in found.label_errors} >= {"wrong.jpg"}
    assert {one.likely for one in found.label_errors} == {None}
    assert any("pip install 'headstart[doctor]'" in line for line in found.remarks)


def test_classes_too_small_for_folds_are_left_out_of_label_errors(examine, ward):
    paint(ward / "train" / "violet" / "1.jpg", (160, 40, 200), seed=1)
    found = examine(ward)
    assert any(line.endswith("for label errors: violet") for line in found.remarks)
    assert found.label_errors


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_handful_of_images_of_one_class_is_inspected_too(examine, tmp_path, count):
    for number in range(count):
        paint(tmp_path / "few" / "red" / f"{number}.png", COLOURS["red"], seed=number)
    found = examine(tmp_path / "few")
    assert found.label_errors == found.duplicates == []
    assert found.remarks == [
        "label errors are left out: they need two classes of at least 5 images"
    ]


def test_failures_beyond_the_limit_are_an_error(examine, ward):
    (ward / "train" / "red" / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError, match="1 of 51 images failed"):
        examine(ward, max_failures="0")


def test_a_group_that_leaks_and_contradicts_says_both():
    images = [Seen(Path("a.jpg"), "cat", "train"), Seen(Path("b.jpg"), "dog", "test")]
    assert Copies(images, 1.0).what == "across splits, labels differ"


def test_the_page_is_whole_and_escapes_names(examine, ward, tmp_path):
    evil = "<script>alert(1)</script>&\"'"
    for number in range(5):
        paint(ward / "train" / evil.replace("/", "∕") / f"{number}.jpg", (9, 9, 9), seed=number)
    page = write_page(examine(ward), tmp_path / "out", top=3)
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "default-src 'none'; img-src data:" in text
    assert "unsafe-inline" not in text
    assert not re.search(r"(src|href)=\"(?!data:|#)", text)
    pictures = re.findall(r"<img [^>]*>", text)
    assert pictures
    assert all('alt="' in tag and 'loading="lazy"' in tag for tag in pictures)
    assert [path.name for path in page.parent.iterdir()] == ["inspect.html"]


def test_top_bounds_the_page(examine, ward):
    found = examine(ward)
    one, all_of_them = (page_text(found, top).count("<img ") for top in (1, 1000))
    assert one < all_of_them
    assert "The first 1 are shown." in page_text(found, 1)


def test_a_picture_that_is_gone_leaves_a_gap_in_the_page(examine, ward):
    found = examine(ward)
    (ward / "train" / "red" / "grey.jpg").unlink()
    assert "no longer readable" in page_text(found, 40)


def test_a_page_that_cannot_be_written_is_told(examine, ward, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot write the page to .*file"):
        write_page(examine(ward), tmp_path / "file", 1)


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="real photographs: ../shared is absent")
@pytest.mark.parametrize("first_cleaned", [False, True])
def test_wrong_labels_and_copies_planted_in_monkeys_come_back(tmp_path, first_cleaned):
    dataset = read_dataset(SHARED / "data" / "monkeys10")
    source = feature_source(execution=Execution(cache=tmp_path / "cache"))
    own = inspect(dataset, source, 0)
    assert sum(one.across_splits for one in own.duplicates) == 0  # of 67 groups …
    assert len(own.duplicates) == 67
    assert sum(one.across_splits for one in own.near_duplicates) >= 50  # … and of these, many
    images = dataset.images
    if first_cleaned:  # as after a first visit: one image of each group is left
        again = (*own.duplicates, *own.near_duplicates)
        copies = {image.path for one in again for image in one.images[1:]}
        images = [image for image in images if image.path not in copies]

    rng = np.random.default_rng(0)
    order = rng.permutation(len(images)).tolist()
    wrong = {images[at].path for at in order[:20]}
    sources = [images[at] for at in order[20:] if images[at].split == "train"][:10]
    rows = []
    for image in images:
        others = [name for name in dataset.classes if name != image.label]
        label = rng.choice(others) if image.path in wrong else image.label
        rows.append((image.path, label, image.split))
    for number, image in enumerate(sources):
        copy = tmp_path / f"{number}.jpg"
        if number < 5:
            copy.write_bytes(image.path.read_bytes())
        else:
            save_again(image.path, copy, quality=40 + 10 * (number - 4))
        rows.append((copy, image.label, "validation"))
    manifest = tmp_path / "planted.csv"
    with open(manifest, "w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "split"), *rows])

    found = inspect(read_dataset(manifest), source, 0)
    assert sum(one.image.path in wrong for one in found.label_errors[:40]) >= 16
    exact = [{"0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg"} & names(g) for g in found.duplicates]
    assert all(exact[:5])
    straddling = [one for one in found.near_duplicates if one.across_splits]
    named = [{f"{n}.jpg" for n in range(5, 10)} & names(one) for one in straddling]
    assert sum(map(len, named)) == 5
    if first_cleaned:  # nothing else straddles: ten findings, the ten that were planted
        assert all(named)
        assert len(straddling) == 5
