"""Bytes with two labels, and classes that nothing evaluates, are told by fit head."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from headstart.classify.data.labels import not_evaluated, two_labels
from headstart.classify.data.split import Split
from headstart.extract.images.images import Image


def images(labels):
    return [Image(Path(f"{number}.jpg"), label) for number, label in enumerate(labels)]


@pytest.mark.parametrize(
    ("labels", "digests", "line"),
    [
        ("aab", (b"1", b"1", b"2"), None),
        ("aab", (b"1", b"2", b"1"), "1 images are byte for byte the same as one of another class"),
        ("abab", (b"1", b"1", b"1", b"2"), "(first: 0.jpg is 'a', 1.jpg is 'b')"),
    ],
)
def test_bytes_with_two_labels_are_told(labels, digests, line):
    lines = two_labels(images(labels), digests)
    assert lines == [] if line is None else line in lines[0]


def test_classes_that_nothing_evaluates_are_named():
    y = np.array([0, 1, 2, 0])
    split = Split(np.array([0, 1, 2]), np.array([], dtype=int), np.array([3]), "test")
    (line,) = not_evaluated(y, split, ["cat", "dog", "eel"])
    assert line.startswith("the test split has no image of 2 of 3 classes")
    assert line.endswith(": dog, eel")
    assert not_evaluated(y[[0, 3]], Split(*[np.array([0])] * 2, np.array([1]), "test"), ["c"]) == []


def test_fit_head_tells_both(headstart, photographs, tmp_path):
    shutil.copy(photographs / "red" / "1.jpg", photographs / "blue" / "red.jpg")
    rows = [
        f"{path},{path.parent.name},{'test' if path.parent.name == 'red' else 'train'}"
        for path in sorted(photographs.glob("*/*"))
        if path.parent.name != "red" or path.stem in "1234567"
    ]
    rows += [f"{photographs / 'red' / f'{n}.jpg'},red,train" for n in (8, 9)]
    manifest = tmp_path / "m.csv"
    manifest.write_text("\n".join(["path,label,split", *rows]))
    status, _, err = headstart("fit", "head", manifest)
    assert status == 0, err
    assert "warning: 1 images are byte for byte the same as one of another class" in err
    assert "warning: the test split has no image of 2 of 3 classes" in err
