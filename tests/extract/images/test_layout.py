"""Folders as people have them: splits by any usual name, wrappers, bins, and two readings."""

import io
import itertools
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.errors import DataError
from headstart.extract.images.dataset import read_dataset
from headstart.extract.images.layout import lay_out
from headstart.extract.images.names import SPLITS, split_affixed, split_named


def understood(*paths):
    """Return class and split of each path, as ``split/class`` or ``class``; None if left out."""
    layout = lay_out([path.split("/") for path in paths], "data")
    return [
        place and (f"{place.split}/{place.label}" if place.split else place.label)
        for path in paths
        for place in [layout.place(path.split("/"))]
    ]


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"),
        ("TRAIN", "Val"),
        ("training_set", "test_set"),
        ("seg_train", "seg_test"),
        ("train_images", "dev"),
        ("Training", "validation"),
        ("trainset", "valset"),
        ("train2017", "val2017"),
        ("train-data", "hold-out"),
        ("monkeys_train", "monkeys_test"),
        ("train_monkeys", "valid-monkeys"),
        ("monkeys_training", "validation"),
    ],
)
def test_the_usual_spellings_of_splits_are_known(train, test):
    paths = [f"{split}/{name}/1.jpg" for split in (train, test) for name in ("cat", "dog")]
    first, *_, last = understood(*paths)
    assert first == "train/cat"
    assert last in ("test/dog", "validation/dog")


@pytest.mark.parametrize(
    "wrapped",
    [
        "{split}/{split}/{name}/1.jpg",  # Kaggle's 10 Monkey Species, Intel's scenes
        "images/{split}/{name}/1.jpg",
        "archive/images/{split}/{name}/1.jpg",
        "{split}/Train/{name}/1.jpg",
        "{split}/{name}/more/1.jpg",
    ],
)
def test_wrapping_folders_are_seen_through(wrapped):
    paths = [
        wrapped.format(split=split, name=name)
        for split in ("train", "val")
        for name in ("n0", "n1")
    ]
    if "/Train/" in wrapped:
        paths[2:] = [path.replace("/Train/", "/VAL/") for path in paths[2:]]
    assert understood(*paths) == ["train/n0", "train/n1", "validation/n0", "validation/n1"]


def test_a_wrapper_of_class_folders_is_seen_through_but_one_class_is_not():
    assert understood("pets/cat/1.jpg", "pets/dog/2.jpg") == ["cat", "dog"]
    assert understood("cat/1.jpg", "cat/more/2.jpg") == ["cat", "cat"]
    assert understood("train/cat/1.jpg") == ["train/cat"]
    assert understood("test/cat/1.jpg", "test/dog/1.jpg") == ["test/cat", "test/dog"]


def test_words_that_only_contain_a_split_are_classes():
    names = ["bullet-train", "toy train", "trainer", "contest", "valley", "tested"]
    assert understood(*(f"{name}/1.jpg" for name in names)) == names


def test_what_lies_beside_split_folders_is_left_out_and_told():
    layout = lay_out([("train", "cat", "1"), ("seg_pred", "2"), ("test", "cat", "3")], "data")
    assert layout.place(("seg_pred", "2")) is None
    assert layout.warnings == ["data/seg_pred is no split folder: 1 files left out"]


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["train/1.jpg", "test/2.jpg"], r"data/test/, data/train/ are named as a split.*no class"),
        (["cat/1.jpg", "dog/2.jpg", "test/3.jpg"], r"data/test/ is named.*data/cat/, data/dog/"),
        (["cat/1.jpg", "test/cat/3.jpg"], r"data/test/ may be a split and data/cat/ classes"),
        (
            [f"{year}/{name}/1.jpg" for year in (2019, 2020) for name in ("cat", "dog")],
            r"two ways: as 2 classes \(2019, 2020\), or as 2 classes \(cat, dog\) within",
        ),
        (
            [f"{name}/{split}/1.jpg" for name in ("cat", "dog") for split in ("train", "test")],
            r"as 2 classes \(cat, dog\), or as 2 classes \(test, train\).*train/CLASS",
        ),
        (
            ["train/cat/1.jpg", "train/test/2.jpg", "val/cat/1"],
            r"data/train/test/ is named as a split",
        ),
        (["images/train/1.jpg", "labels/train/1.txt"], "two ways"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_with_both(paths, message):
    with pytest.raises(DataError, match=message):
        understood(*paths)


BINS = (
    *("$RECYCLE.BIN", "#recycle", "@eaDir", ".Trash-1000", "System Volume Information"),
    *("lost+found", "__MACOSX", ".thumbnails", ".picasaoriginals"),
)


@pytest.mark.parametrize("name", BINS)
def test_bins_and_thumbnails_are_never_data_and_told_once(name, tmp_path):
    paths = [f"cat/{name}/1.jpg", f"{name}/S-1-5/2.jpg", "cat/3.jpg", "dog/4.jpg"]
    layout = lay_out([path.split("/") for path in paths], "data")
    taken = [bool(layout.place(path.split("/"))) for path in paths]
    assert taken == [False, False, True, True]
    assert len(layout.warnings) == 1
    assert layout.warnings[0].startswith(f"2 files in {name}: ")
    for path in paths:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    dataset = read_dataset(tmp_path)
    assert dataset.classes == ["cat", "dog"]
    assert len(dataset.warnings) == 1


def in_tar(path, names):
    with tarfile.open(path, "w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 4
            archive.addfile(info, io.BytesIO(name.encode()[-4:]))
    return path


def test_a_tar_file_has_the_splits_of_its_folders(tmp_path):
    names = [f"photos/{s}/{c}/{n}.jpg" for s in ("train", "validation") for c in "ab" for n in "12"]
    dataset = read_dataset(in_tar(tmp_path / "photos.tar", ["photos/._x.jpg", *names]))
    assert dataset.read_as == "read as: 2 classes, splits train (4) and validation (4)"
    labelled = [f"{s}/{n}.{e}" for s in ("train", "test") for n in "12" for e in ("cls", "jpg")]
    dataset = read_dataset(in_tar(tmp_path / "labelled.tar", labelled))
    assert dataset.read_as.endswith("splits train (2) and test (2)")
    with pytest.raises(DataError, match=r"named after the split test, but train/1\.jpg"):
        read_dataset(in_tar(tmp_path / "test.tar", labelled))


def test_a_loop_of_links_is_walked_once(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "dog").mkdir()
    for name in ("cat/1.jpg", "dog/2.jpg"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "cat" / "up").symlink_to(tmp_path)
    assert [i.path.name for i in read_dataset(tmp_path).images] == ["1.jpg", "2.jpg"]


WORDS = (
    "cat",
    "dog",
    "n0",
    "train",
    "Training_Set",
    "seg_test",
    "val",
    "dev",
    "images",
    "x_train",
    "x_test",
)
TREES = st.lists(st.lists(st.sampled_from(WORDS), max_size=4).map(tuple), min_size=1, max_size=8)


@given(TREES)
def test_no_layout_makes_a_split_a_class_or_a_traceback(folders):
    files = [(*parents, f"{n}.jpg") for n, parents in enumerate(folders)]
    try:
        layout = lay_out(files, "data")
    except DataError as error:
        refusal = str(error)
    else:
        refusal = None
    if refusal is not None:
        assert len(refusal.splitlines()) == 1
        return
    taken = [place for file in files if (place := layout.place(file)) is not None]
    assert not any(split_named(place.label) for place in taken)
    assert len({place.split is None for place in taken}) <= 1
    assert len(taken) == len(files) or layout.warnings


@given(st.permutations(range(4)), TREES)
def test_the_order_of_files_is_no_matter(order, folders):
    files = [(*parents, f"{n}.jpg") for n, parents in enumerate(folders[:4])]
    order = [n for n in order if n < len(files)]

    def outcome(listed):
        try:
            layout = lay_out(listed, "data")
            return {file: layout.place(file) for file in listed}
        except DataError:
            return None

    assert outcome(files) == outcome([files[n] for n in order])


@pytest.mark.parametrize("word", SPLITS)
@pytest.mark.parametrize("spelt", ["{}", "{}_set", "seg-{}", "{} images", "{}2"])
def test_a_split_is_known_with_the_words_beside_it(word, spelt):
    for name in (spelt.format(word), spelt.format(word).upper()):
        assert split_named(name) == SPLITS[word]
    assert split_affixed(f"pets_{word}") == (SPLITS[word], "pets")


def test_deep_paths_need_no_recursion():
    deep = [*itertools.repeat("a", 5000)]
    assert understood("/".join([*deep, "1.jpg"])) == ["a"]
