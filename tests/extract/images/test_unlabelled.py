"""DATA whose labels are missing, or some of them."""

import os

import pytest

from headstart.errors import DataError
from headstart.extract.images.dataset import read_dataset, read_photographs
from headstart.extract.images.images import UNLABELLED
from shards import tar_of


def lay(root, *names):
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    return root


def labels(dataset):
    return [image.label for image in dataset.images]


def test_a_flat_folder_has_images_without_labels(tmp_path):
    dataset = read_photographs(lay(tmp_path, "1.jpg", "2.jpg", ".hidden.jpg"))
    assert [image.path.name for image in dataset.images] == ["1.jpg", "2.jpg"]
    assert dataset.classes == []
    assert dataset.read_as == "read as: 2 images without labels"


def test_what_lies_beside_class_folders_has_no_label_yet(tmp_path):
    dataset = read_photographs(lay(tmp_path, "cat/1.jpg", "dog/2.jpg", "new.jpg"))
    assert labels(dataset) == ["cat", "dog", UNLABELLED]
    assert dataset.warnings == []
    assert dataset.read_as == "read as: 2 classes, 1 image without labels"


def test_beside_splits_it_is_litter(tmp_path):
    dataset = read_photographs(lay(tmp_path, "train/cat/1.jpg", "test/cat/2.jpg", "notes.txt"))
    assert labels(dataset) == ["cat", "cat"]


def test_a_labelled_folder_is_read_as_ever(tmp_path):
    root = lay(tmp_path, "train/cat/1.jpg", "test/dog/2.jpg")
    assert read_photographs(root) == read_dataset(root)


@pytest.mark.parametrize("text", ["path\n1.jpg\n2.jpg\n", "path,label\n1.jpg,cat\n2.jpg,\n"])
def test_a_manifest_may_lack_labels(tmp_path, text):
    lay(tmp_path, "1.jpg", "2.jpg")
    manifest = tmp_path / "photographs.csv"
    manifest.write_text(text)
    assert labels(read_photographs(manifest))[1] == UNLABELLED
    with pytest.raises(DataError, match=r"label is empty|expected the columns path,label"):
        read_dataset(manifest)


def test_a_list_names_images_and_folders(tmp_path, monkeypatch):
    lay(tmp_path, "a/1.jpg", "a/2.jpg", "3.jpg")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wanted.txt").write_bytes(b"3.jpg\na\n")
    dataset = read_photographs("wanted.txt")
    assert [str(image.path) for image in dataset.images] == ["3.jpg", "a/1.jpg", "a/2.jpg"]


def test_shards_without_labels_are_read(tmp_path):
    tar_of(tmp_path / "all.tar", [("1.jpg", b"one"), ("2.jpg", b"two")])
    assert labels(read_photographs(tmp_path / "all.tar")) == [UNLABELLED, UNLABELLED]


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        read_photographs(tmp_path / "nowhere")


def test_a_fit_says_what_is_missing_and_what_gives_it(tmp_path):
    root = lay(tmp_path, "1.jpg", "2.jpg")
    with pytest.raises(DataError, match=r"no images in .*'headstart label .*' gives its 2 files"):
        read_dataset(root)


def test_a_name_that_is_not_utf8_is_kept(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    assert read_photographs(tmp_path).images[0].path.read_bytes() == b"x"
