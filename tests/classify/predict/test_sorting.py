"""Images into a folder for each class: nothing lost, nothing overwritten, nothing outside."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.classify.predict import sorting
from headstart.classify.predict.predict import Prediction
from headstart.classify.predict.sorting import ClassFolders, copy, folder_name, link
from headstart.errors import DataError
from headstart.extract.ledger import Failure


def image(path, content=b"one"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def said(path, label="cat", *, abstained=False):
    digest = hashlib.sha256(path.read_bytes()).digest()
    return Prediction(path, [(label, 0.9)], abstained, digest)


def tree(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


@pytest.mark.parametrize("put", [link, copy])
def test_each_image_goes_to_its_class_and_the_unsure_ones_apart(tmp_path, put):
    folders = ClassFolders(tmp_path / "out", put)
    cat, dog, odd = (image(tmp_path / "in" / f"{n}.jpg", n.encode()) for n in "cdo")
    placed = folders.place(said(cat)).placed
    folders.place(said(dog, "dog"))
    folders.place(said(odd, "dog", abstained=True))
    assert tree(tmp_path / "out") == ["cat/c.jpg", "dog/d.jpg", "unsure/o.jpg"]
    assert placed == tmp_path / "out" / "cat" / "c.jpg"
    assert placed.read_bytes() == b"c"
    assert placed.is_symlink() == (put is link)
    assert folders.counts == {"cat": 1, "dog": 1, "unsure": 1}
    assert folders.summary() == f"sorted into {tmp_path}/out: cat 1, dog 1, unsure 1"


@pytest.mark.parametrize("put", [link, copy])
def test_one_name_with_several_contents_keeps_all(tmp_path, put):
    folders = ClassFolders(tmp_path / "out", put)
    for number in "123":
        folders.place(said(image(tmp_path / number / "x.jpg", number.encode())))
    second, third = (hashlib.sha256(n).hexdigest()[:8] for n in (b"2", b"3"))
    assert tree(tmp_path / "out") == sorted(
        ["cat/x.jpg", f"cat/x-{second}.jpg", f"cat/x-{third}.jpg"]
    )
    assert {(tmp_path / "out" / name).read_bytes() for name in tree(tmp_path / "out")} == {
        *(b"1", b"2", b"3")
    }


def test_links_to_copies_of_one_name_are_numbered(tmp_path):
    folders = ClassFolders(tmp_path / "out")
    paths = [image(tmp_path / number / "x.jpg") for number in "123"]
    for path in paths:
        folders.place(said(path))
    short = hashlib.sha256(b"one").hexdigest()[:8]
    links = ["x.jpg", f"x-{short}.jpg", f"x-{short}-2.jpg"]
    assert [(tmp_path / "out" / "cat" / name).readlink() for name in links] == paths


@pytest.mark.parametrize("put", [link, copy])
def test_a_second_run_adds_nothing(tmp_path, put):
    images = [image(tmp_path / n / "x.jpg", n.encode()) for n in "12"]
    for _ in range(2):
        folders = ClassFolders(tmp_path / "out", put)
        for path in images:
            folders.place(said(path))
        assert folders.counts == {"cat": 2}
    assert len(tree(tmp_path / "out")) == 2


@pytest.mark.parametrize("put", [link, copy])
def test_what_lay_there_before_is_never_touched(tmp_path, put):
    mine = image(tmp_path / "out" / "cat" / "x.jpg", b"mine")
    (tmp_path / "out" / "cat" / "y.jpg").symlink_to("/nowhere")
    folders = ClassFolders(tmp_path / "out", put)
    for name in ("x.jpg", "y.jpg"):
        folders.place(said(image(tmp_path / "in" / name)))
    assert mine.read_bytes() == b"mine"
    assert len(tree(tmp_path / "out")) == 4


@pytest.mark.parametrize(
    "label", ["../../etc", "/etc", "..", ".", "a/b", "a\\b", "\0", "unsure", "%2F", "x\ny"]
)
def test_no_class_name_leads_outside(tmp_path, label):
    folders = ClassFolders(tmp_path / "out")
    placed = folders.place(said(image(tmp_path / "x.jpg"), label)).placed
    assert placed.parent.parent == tmp_path / "out"
    assert placed.resolve(strict=True) == tmp_path / "x.jpg"
    assert placed.parent.name != "unsure"


@given(st.lists(st.text(min_size=1, max_size=6), min_size=2, max_size=2, unique=True))
def test_two_classes_never_share_a_folder(labels):
    one, other = map(folder_name, labels)
    assert one != other
    assert not {"/", "\\", "\0"} & set(one + other)
    assert not {".", "..", "unsure"} & {one, other}


def test_a_class_folder_that_leads_elsewhere_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "cat").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"nothing outside .*out is written; take that link away"):
        ClassFolders(tmp_path / "out").place(said(image(tmp_path / "x.jpg")))
    assert not list((tmp_path / "elsewhere").iterdir())


def test_classes_that_a_disk_without_capitals_would_mix_are_refused(tmp_path, monkeypatch):
    listed = os.listdir
    monkeypatch.setattr(sorting.os, "listdir", lambda place: map(str.lower, listed(place)))
    folders = ClassFolders(tmp_path / "out")
    folders.place(said(image(tmp_path / "x.jpg"), "cat"))
    with pytest.raises(DataError, match="Cat is there in another spelling"):
        folders.place(said(image(tmp_path / "y.jpg"), "Cat"))


def test_no_folder_has_a_name_that_windows_refuses():
    names = [folder_name(label) for label in ('a<b>:"|?*', "cat.", "Unsure")]
    assert not set("".join(names)) & set('<>:"|?*.')
    assert "unsure" not in {name.casefold() for name in names}


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path):
    taken = image(tmp_path / "out")
    with pytest.raises(DataError, match=r"cannot sort .*x\.jpg into .*out/cat: Not a directory"):
        ClassFolders(taken).place(said(image(tmp_path / "x.jpg")))


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file that opens but breaks off")
def test_a_copy_that_breaks_off_leaves_nothing(tmp_path):
    with pytest.raises(DataError, match="Input/output error"):
        ClassFolders(tmp_path / "out", copy).place(
            Prediction(Path("/proc/self/mem"), [("cat", 1.0)])
        )
    assert tree(tmp_path / "out") == []


def test_a_failure_passes_as_it_is(tmp_path):
    failure = Failure(tmp_path / "x.jpg", "empty")
    assert ClassFolders(tmp_path / "out").place(failure) is failure
    assert not (tmp_path / "out").exists()
