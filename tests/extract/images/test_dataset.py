"""Folders and manifests as people have them."""

import csv
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.errors import DataError, OptionError
from headstart.extract.images.dataset import read_dataset
from headstart.text import shown


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
    assert any("1 file in" in w and "readme.txt" in w for w in dataset.warnings)
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
        (
            "name,label\n",
            "columns path,label .* got name,label; .* --columns path=name,label=label",
        ),
        ("a,b,c\n", "got a,b,c; .* --columns path=a,label=b"),
        ("path,label,path\na.jpg,cat,a.jpg\n", "the column path stands there twice"),
        ("path,label\n", "lists no images"),
        ("path,label\na.jpg,cat\ngone.jpg,cat\n", "line 3: no such file: .*gone.jpg"),
        ("path,label\na.jpg,\n", "line 2: path or label is empty"),
        ("path,label\na.jpg\n", "line 2: expected 2 fields, got 1"),
        ("path,label\na.jpg,cat,more\n", "line 2: expected 2 fields, got 3"),
        ("path,label\n.,cat\n", "line 2: no plain file"),
        ("path,label\na\0.jpg,cat\n", r"line 2: no such file: .*a\\x00.jpg"),
        ('path,label\n"a.jpg,cat\n', "is not CSV: line 2: unexpected end of data"),
        ("path,label,split\na.jpg,cat,tain\n", "line 2: unknown split 'tain'; valid: train"),
        (
            "path,label,split\na.jpg,cat,train\nb.jpg,cat,\n",
            r"1 of 2 rows name a split \(line 3 does not\)",
        ),
        (
            "path,label\na.jpg,cat\nb.jpg,dog\na.jpg,dog\n",
            r"line 4: .*a.jpg has the label 'dog', on line 2 'cat'",
        ),
        (
            "path,label,split\na.jpg,cat,train\n./a.jpg,cat,test\n",
            r"line 3: .*a.jpg is in split test, on line 2 in train: what is trained on must not",
        ),
        (
            "path,label\nlink.jpg,cat\na.jpg,dog\n",
            r"line 3: .*a.jpg has the label 'dog', on line 2 'cat'",
        ),
        (
            "path,label,group\na.jpg,cat,g\na.jpg,cat,h\n",
            r"line 3: .*a.jpg is in group h, on line 2 in g",
        ),
        (
            'path,label\n"line\nend.jpg",cat\ngone.jpg,cat\n',
            r"line 2: no such file: .*line\\nend.jpg; line 4: no such file: .*gone.jpg$",
        ),
        (
            "path,label\n" + "gone.jpg,cat\n" * 9,
            r"line 2: .*; line 3: .*; line 4: .*gone.jpg \(and 6 more\)$",
        ),
    ],
)
def test_a_wrong_manifest_is_told_by_line(tmp_path, text, message):
    lay(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    manifest = tmp_path / "m.csv"
    manifest.write_text(text)
    with pytest.raises(DataError, match=message):
        read_dataset(manifest)


def test_a_row_that_stands_twice_is_taken_once_and_told(tmp_path):
    lay(tmp_path, "a.jpg", "b.jpg")
    manifest = tmp_path / "m.csv"
    manifest.write_text("path,label\na.jpg,cat\n\nb.jpg,dog\n./a.jpg,cat\na.jpg,cat\n")
    dataset = read_dataset(manifest)
    assert [(i.path.name, i.label) for i in dataset.images] == [("a.jpg", "cat"), ("b.jpg", "dog")]
    assert dataset.warnings == [
        f"manifest {manifest}: line 5 repeats line 2; line 6 repeats line 2: taken once"
    ]


def test_what_is_wrong_with_a_manifest_is_told_before_anything_is_extracted(
    tmp_path, monkeypatch, capsys
):
    from headstart import cli
    from headstart.extract import source

    lay(tmp_path, "a.jpg", "b.jpg")
    manifest = tmp_path / "m.csv"
    manifest.write_text("path,label,split\na.jpg,cat,train\nb.jpg,dog,train\na.jpg,cat,test\n")
    monkeypatch.setattr(source, "feature_source", lambda *_: pytest.fail("too late"))
    monkeypatch.setattr("sys.argv", ["headstart", "extract", "features", str(manifest)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "line 4:" in capsys.readouterr().err


def read_or_refuse(manifest):
    try:
        return read_dataset(manifest).images, ""
    except (DataError, OptionError) as error:  # or what is not installed to read it
        return [], str(error)


@given(st.binary(max_size=400))
def test_a_manifest_of_any_bytes_is_read_or_refused_in_one_line(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    lay(folder, "a.jpg", "b.jpg")
    for content in (data, b"path,label,split\na.jpg,cat,train\n" + data):
        (folder / "m.csv").write_bytes(content)
        images, refusal = read_or_refuse(folder / "m.csv")
        assert refusal.isprintable(), "one line that can be printed"
        assert {i.path.name for i in images} <= {"a.jpg", "b.jpg", "m.csv"}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a.jpg", "b.jpg", "./a.jpg", "gone", "", "\0", '"', "m.csv\n"]),
            st.sampled_from(["cat", "dog", "", " cat ", "é"]),
            st.sampled_from(["", "train", "TEST", "tain"]),
        ),
        max_size=6,
    )
)
def test_a_manifest_of_any_rows_never_keeps_a_file_twice(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("fuzz")
    lay(folder, "a.jpg", "b.jpg")
    with open(folder / "m.csv", "w", newline="", errors="surrogateescape") as file:
        csv.writer(file).writerows([("path", "label", "split"), *rows])
    images, refusal = read_or_refuse(folder / "m.csv")
    assert refusal.isprintable()
    if refusal:
        return
    assert len({i.path.name for i in images}) == len(images)
    wanted = {(Path(p).name, label.strip()) for p, label, _ in rows}
    assert {(i.path.name, i.label) for i in images} == wanted


@pytest.mark.slow
@pytest.mark.timeout(300)  # seconds on a quiet machine; a quadratic reading would take hours
def test_a_manifest_of_a_million_rows_is_read_in_seconds(tmp_path):
    files = 100_000
    for folder in range(100):
        (tmp_path / str(folder)).mkdir()
    names = [f"{n % 100}/{n}" for n in range(files)]
    for name in names:
        (tmp_path / name).touch()
    with open(tmp_path / "m.csv", "w") as file:
        file.write("path,label,split\n")
        for _ in range(10):
            file.writelines(f"{name},class {name[-1]},train\n" for name in names)
    dataset = read_dataset(tmp_path / "m.csv")
    assert len(dataset.images) == files
    assert "line 100002 repeats line 2" in dataset.warnings[0]
    assert "(and 899997 more)" in dataset.warnings[0]
