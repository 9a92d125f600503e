"""What files, folders, patterns and lists stand for."""

import io
import os

import numpy as np
import pytest

from headstart.errors import DataError
from headstart.extract.images.in_memory import PixelImage
from headstart.extract.images.listing import list_images, outside


@pytest.fixture
def folder(tmp_path):
    for name in ("a/1.jpg", "a/b/2.jpg", "a/b/3.png", ".hidden/4.jpg", "a/.5.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"...")
    return tmp_path


def names(found):
    return [path.name for path in found]


def test_a_folder_stands_for_its_files_without_the_hidden_ones(folder):
    assert names(list_images([folder])) == ["1.jpg", "2.jpg", "3.png"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a/*.jpg", ["1.jpg"]),
        ("a/*/*", ["2.jpg", "3.png"]),
        ("**/*.jpg", ["1.jpg", "2.jpg"]),
        ("**/[23].*", ["2.jpg", "3.png"]),
        ("a/b", ["2.jpg", "3.png"]),
        ("a/*", ["1.jpg", "2.jpg", "3.png"]),
    ],
)
def test_a_pattern_stands_for_what_it_matches(folder, monkeypatch, pattern, expected):
    assert names(list_images([f"{folder}/{pattern}"])) == expected
    monkeypatch.chdir(folder)
    assert names(list_images([pattern])) == expected


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder):
    odd = folder / "a" / "[1].jpg"
    odd.write_bytes(b"...")
    assert list_images([odd]) == [odd]


def test_what_is_given_twice_counts_once_where_it_first_stood(folder, monkeypatch):
    monkeypatch.chdir(folder)
    given = ["a/b/2.jpg", folder / "a", "./a/1.jpg", "a/b/2.jpg"]
    assert names(list_images(given)) == ["2.jpg", "1.jpg", "3.png"]


def test_a_list_on_standard_input_is_read_line_by_line_whatever_bytes_it_has(folder):
    odd = os.fsdecode(b"caf\xe9 [1].jpg")
    (folder / odd).write_bytes(b"...")
    lines = [os.fsencode(folder / odd), b"", os.fsencode(folder / "a" / "b"), b"/nowhere.jpg\r"]
    found = list_images(["-"], io.BytesIO(b"\n".join(lines)))
    assert names(found) == [odd, "2.jpg", "3.png", "nowhere.jpg"]  # what is missing is told later


def test_images_in_memory_stay_as_they_are(folder):
    one, same = (PixelImage(np.zeros((4, 4, 3), np.uint8), "black") for _ in range(2))
    assert list_images([one, folder / "a" / "1.jpg", same]) == [one, folder / "a" / "1.jpg", same]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["/nowhere"], r"no such file or folder: /nowhere$"),
        (["/nowhere/*.jpg"], r"no file matches the pattern /nowhere/\*\.jpg$"),
        ([], "no images to label"),
        (["-"], "no such file or folder: -$"),
    ],
)
def test_what_stands_for_nothing_is_told_in_one_line(given, message):
    with pytest.raises(DataError, match=message):
        list_images(given)


def test_an_empty_list_is_told():
    with pytest.raises(DataError, match="no images to label"):
        list_images(["-"], io.BytesIO(b"\n"))


def test_files_below_a_folder_can_be_left_out(folder):
    images = list_images([folder])
    assert names(outside(images, folder / "a" / "b")) == ["1.jpg"]
    assert outside(images, folder / "elsewhere") == images
    with pytest.raises(DataError, match=r"all images given lie in .*a, where sorted ones are put"):
        outside(images, folder / "a")
