"""All images of DATA, or a part of them, without a table of them in memory."""

import os
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.errors import DataError, OptionError
from headstart.extract.images import folder
from headstart.extract.images.dataset import read_photographs
from headstart.extract.images.folder import ListedFiles, gather
from headstart.extract.photographs import Part, list_photographs, read_part
from shards import tar_of


def lay(root, *names):
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    return root


@pytest.mark.parametrize(
    "names",
    [
        ("cat/1.jpg", "dog/2.jpg"),
        ("cat/1.jpg", "dog/2.jpg", "new.jpg"),
        ("1.jpg", "2.jpg", ".hidden.jpg"),
        ("train/cat/1.jpg", "test/cat/2.jpg", "notes.txt", "spare/3.jpg"),
        ("pets/train/cat/1.jpg", "pets/val/cat/2.jpg", "pets/@eaDir/3.jpg"),
        ("a/x/1.jpg", "b/x/1.jpg", "a/y/1.jpg", "b/y/1.jpg"),
        ("cat /1.jpg", "cat/2.jpg", "Cat/3.jpg", "empty class/.x"),
    ],
)
def test_a_folder_is_listed_as_it_is_read(tmp_path, names):
    root = lay(tmp_path / "data", *names)
    listed, table = list_photographs(root), read_photographs(root)
    assert isinstance(listed.paths, ListedFiles)
    assert sorted(listed.paths) == sorted(table.paths)
    assert listed.read_as == table.read_as
    assert sorted(listed.warnings) == sorted(table.warnings)


def test_other_kinds_of_data_are_read_as_ever(tmp_path):
    tar_of(tmp_path / "all.tar", [("1.jpg", b"one"), ("2.jpg", b"two")])
    listed = list_photographs(tmp_path / "all.tar")
    assert listed.paths == read_photographs(tmp_path / "all.tar").paths


def test_what_is_not_there_is_told_as_ever(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        list_photographs(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no images in"):
        list_photographs(tmp_path)


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=40), st.integers(1, 5), st.data())
def test_a_list_in_a_file_is_like_one_in_memory(names, group, data):
    paths = [
        "/" + os.fsdecode(name.replace(b"\0", b"n").replace(b"/", b"s").replace(b".", b"p"))
        for name in names
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder, "GROUP", group)
        files = ListedFiles()
        for path in paths:
            files.append(path)
        assert [str(path) for path in files] == paths
        assert len(files) == len(paths)
        bounds = st.integers(-45, 45) | st.none()
        cut = slice(data.draw(bounds), data.draw(bounds))
        assert [str(path) for path in files[cut]] == paths[cut]
        for place in range(-len(paths), len(paths)):
            assert str(files[place]) == paths[place]


def test_many_files_are_gathered_in_a_file_and_others_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "MANY", 4)
    files = [tmp_path / f"{n}.jpg" for n in range(6)]
    assert isinstance(gather(files), ListedFiles)
    assert [*gather(files)] == files
    assert gather(files[:3]) == files[:3]
    assert gather([*files, "other", files[0]]) == [*files, "other", files[0]]


def test_parts_are_all_images_and_each_in_one():
    names = [f"photographs/{n}.jpg" for n in range(1000)]
    parts = [[name for name in names if Part(i, 7).holds(name)] for i in range(1, 8)]
    assert Counter(name for part in parts for name in part) == Counter(names)
    assert min(map(len, parts)) > 100
    assert [name for name in names[:500] if Part(3, 7).holds(name)] == parts[2][
        : sum(name in names[:500] for name in parts[2])
    ], "images that are added move no other"


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "1/0", "a/b", "-1/4", "1/4/2"])
def test_a_part_that_cannot_be_is_refused(text):
    with pytest.raises(OptionError, match=r"--part takes I/N with I from 1 to N"):
        read_part(text)
