"""Folders and manifests as people have them."""

import os

import pytest

from headstart.errors import DataError
from headstart.extract.dataset import read_dataset, shown


def lay(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def test_one_folder_a_class(tmp_path):
    dataset = read_dataset(lay(tmp_path, "dog/1", "cat/2.jpg", "cat/deep/3.png"))
    assert [(i.path.name, i.label, i.split) for i in dataset.images] == [
        ("2.jpg", "cat", None),
        ("3.png", "cat", None),
        ("1", "dog", None),
    ]
    assert dataset.classes == ["cat", "dog"]


@pytest.mark.parametrize(
    ("folder", "split"),
    [("val", "validation"), ("valid", "validation"), ("Testing", "test"), ("test", "test")],
)
def test_split_folders_have_many_names(tmp_path, folder, split):
    dataset = read_dataset(lay(tmp_path, "Training/cat/1", f"{folder}/cat/2", "notes/3"))
    assert {i.path.name: i.split for i in dataset.images} == {"1": "train", "2": split}
    assert "notes is no split folder" in dataset.warnings[0]


def test_litter_is_passed_over_and_loose_files_are_told(tmp_path):
    lay(tmp_path, "cat/1.jpg", "cat/.DS_Store", "cat/Thumbs.db", ".git/x", "readme.txt", "empty/.x")
    dataset = read_dataset(tmp_path)
    assert [i.path.name for i in dataset.images] == ["1.jpg"]
    assert any("1 files" in w and "readme.txt" in w for w in dataset.warnings)
    assert any("empty holds no files" in w for w in dataset.warnings)


def test_link_loops_and_pipes_do_not_hang(tmp_path):
    lay(tmp_path, "cat/1.jpg")
    (tmp_path / "cat" / "loop").symlink_to(tmp_path / "cat", target_is_directory=True)
    os.mkfifo(tmp_path / "cat" / "pipe.jpg")
    dataset = read_dataset(tmp_path)
    assert [i.path.name for i in dataset.images] == ["1.jpg"]
    assert any("pipe.jpg is no plain file" in w for w in dataset.warnings)


def test_names_that_are_not_utf8_are_read_and_can_be_printed(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / os.fsdecode(b"caf\xe9\n.jpg")).write_bytes(b"x")
    (image,) = read_dataset(tmp_path).images
    assert shown(image.path).endswith(r"cat/caf\xe9\n.jpg")


@pytest.mark.parametrize("names", [(), ("loose.jpg",)])
def test_a_folder_without_classes_says_what_was_expected(tmp_path, names):
    with pytest.raises(DataError, match=r"no images in .*: expected one sub-folder a class"):
        read_dataset(lay(tmp_path, *names))


def test_a_missing_path_is_told(tmp_path):
    with pytest.raises(DataError, match=r"no such folder or manifest: .*nowhere"):
        read_dataset(tmp_path / "nowhere")


def test_a_manifest_with_byte_order_mark_and_windows_lines(tmp_path):
    lay(tmp_path, "a.jpg", "b.jpg")
    manifest = tmp_path / "m.csv"
    manifest.write_bytes(
        b"\xef\xbb\xbfpath,label,split,group\r\na.jpg,cat,train,g\r\nb.jpg,dog,val,\r\n"
    )
    first, second = read_dataset(manifest).images
    assert (first.path, first.label, first.split, first.group) == (
        tmp_path / "a.jpg",
        "cat",
        "train",
        "g",
    )
    assert (second.split, second.group) == ("validation", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty file"),
        ("file,label\n", "expected the columns path,label .* got file,label"),
        ("path,label\n", "lists no images"),
        ("path,label\na.jpg,cat\ngone.jpg,cat\n", "line 3: no such file: .*gone.jpg"),
        ("path,label\na.jpg,\n", "line 2: path or label is empty"),
        ("path,label,split\na.jpg,cat,tain\n", "line 2: unknown split 'tain'; valid: train"),
        ("path,label,split\na.jpg,cat,train\na.jpg,cat,\n", "1 of 2 rows name a split"),
    ],
)
def test_a_wrong_manifest_is_told_by_line(tmp_path, text, message):
    lay(tmp_path, "a.jpg")
    manifest = tmp_path / "m.csv"
    manifest.write_text(text)
    with pytest.raises(DataError, match=message):
        read_dataset(manifest)
