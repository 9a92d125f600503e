"""Manifests as other tools and spreadsheets write them, and as hands do."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.errors import DataError, OptionError
from headstart.extract.images.dataset import read_dataset
from headstart.extract.images.manifest_table import read_columns, read_table


@pytest.fixture
def manifest(tmp_path):
    """Return a function that writes a manifest beside two images."""
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(name.encode())

    def write(content, name="m.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    "text",
    [
        'path,label\na.jpg,"cat"\nb.jpg,dog\n',
        '"path", "label"\n"a.jpg", "cat"\n"b.jpg", "dog"\n',
        "path,label\n a.jpg , cat \nb.jpg,dog\n",
        "path;label\na.jpg;cat\nb.jpg;dog\n",
        "path\tlabel\na.jpg\tcat\nb.jpg\tdog\n",
        "filename,class\na.jpg,cat\nb.jpg,dog\n",
        "image,label\na.jpg,cat\nb.jpg,dog\n",
        "file_name,label\na.jpg,cat\nb.jpg,dog\n",
        "Filepath,Category,width\na.jpg,cat,3\nb.jpg,dog,3\n",
        "id,image,label\n1,a.jpg,cat\n2,b.jpg,dog\n",
        '{"file_name": "a.jpg", "label": "cat"}\n{"file_name": "b.jpg", "label": "dog"}\n',
        "path,label\r\na.jpg,cat\r\nb.jpg,dog\r\n".encode("utf-16"),
        "path,label\na.jpg,cat\nb.jpg,dog\n".encode("utf-8-sig"),
    ],
)
def test_the_usual_columns_delimiters_and_encodings_are_understood(manifest, text):
    dataset = read_dataset(manifest(text))
    assert [(i.path.name, i.label) for i in dataset.images] == [("a.jpg", "cat"), ("b.jpg", "dog")]
    assert dataset.warnings == []


def test_a_manifest_that_is_not_utf_8_names_the_encoding_tried(manifest, tmp_path):
    (tmp_path / "\xe9t\xe9.jpg").write_bytes(b"x")
    text = "path,label\na.jpg,\xe9cureuil\n\xe9t\xe9.jpg,\xe9cureuil\n"
    dataset = read_dataset(manifest(text.encode("latin-1")))
    assert dataset.classes == ["\xe9cureuil"]
    assert "is not UTF-8: read as cp1252" in dataset.warnings[0]


def test_splits_are_spelt_as_folders_are(manifest):
    dataset = read_dataset(manifest("path,label,subset\na.jpg,cat,Training\nb.jpg,dog,dev\n"))
    assert [i.split for i in dataset.images] == ["train", "validation"]


def test_unknown_columns_are_mapped_by_an_option_that_the_message_shows(manifest, headstart):
    path = manifest("photo,animal\na.jpg,cat\nb.jpg,dog\n")
    with pytest.raises(DataError, match="--columns path=photo,label=animal"):
        read_dataset(path)
    columns = read_columns("path=photo,label=animal")
    assert read_dataset(path, columns).classes == ["cat", "dog"]
    with pytest.raises(DataError, match="no column 'foto'; it has photo,animal"):
        read_dataset(path, read_columns("path=foto,label=animal"))


@pytest.mark.parametrize("text", ["path", "path=", "photo=path", "path=a,path=b", ""])
def test_a_mapping_that_is_not_understood_shows_one_that_is(text):
    with pytest.raises(OptionError, match="path=filename,label=class"):
        read_columns(text)


def test_composed_and_decomposed_names_are_one_class_and_case_is_told(manifest, tmp_path):
    name = "\xe9cureuil"
    apart = unicodedata.normalize("NFD", name)
    dataset = read_dataset(manifest(f"path,label\na.jpg,{name}\nb.jpg,{apart}\n"))
    assert dataset.classes == [name]
    assert "is also spelt" in dataset.warnings[0]
    dataset = read_dataset(manifest("path,label\na.jpg,cat\nb.jpg,Cat\n"))
    assert dataset.warnings == [
        "classes 'Cat' and 'cat' differ only in case: one class? rename one"
    ]


def test_folders_whose_names_differ_in_what_cannot_be_seen_are_one_class(tmp_path):
    names = ("dog", "dog ", "\xe9cureuil", unicodedata.normalize("NFD", "\xe9cureuil"))
    for number, name in enumerate(names):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{number}.jpg").write_bytes(b"x")
    dataset = read_dataset(tmp_path)
    assert dataset.classes == ["dog", "\xe9cureuil"]
    assert len(dataset.warnings) == 2
    assert "'dog '" in dataset.warnings[0]
    assert "\\u0301" in dataset.warnings[1]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_folder_with_hugging_faces_metadata_is_read_by_it(tmp_path, ending):
    lines = {
        "csv": "file_name,label\n{0}.jpg,cat\n{1}.jpg,dog\n",
        "jsonl": '{{"file_name": "{0}.jpg", "label": "cat"}}\n{{"file_name": "{1}.jpg", "label": "dog"}}\n',
    }[ending]
    for split, (first, second) in {"train": "12", "test": "34"}.items():
        folder = tmp_path / "split" / split
        folder.mkdir(parents=True)
        for number in (first, second):
            (folder / f"{number}.jpg").write_bytes(number.encode())
        (folder / f"metadata.{ending}").write_text(lines.format(first, second))
    dataset = read_dataset(tmp_path / "split")
    assert dataset.read_as == "read as: 2 classes, splits train (2) and test (2)"
    dataset = read_dataset(tmp_path / "split" / "train")
    assert dataset.read_as == "read as: 2 classes, 2 images, no splits"


def test_an_archive_is_told_to_be_unpacked(manifest):
    with pytest.raises(DataError, match=r"is a ZIP archive: unpack it .* or pack .* tar"):
        read_dataset(manifest(b"PK\x03\x04 and more", "photos.zip"))


FIELDS = st.sampled_from(
    ["a.jpg", " b.jpg", "a.jpg ", "cat", "Cat", "train", "test", '"', "", "\xe9"]
)
HEADS = st.sampled_from(
    ["path,label", "path,label,split", "filename;class", "image\tlabel", "x,y", "{"]
)


@given(
    HEADS,
    st.lists(st.lists(FIELDS, min_size=1, max_size=4), max_size=6),
    st.sampled_from(["utf-8", "latin-1", "utf-16"]),
)
def test_no_manifest_is_a_traceback_or_puts_an_image_into_two_splits(
    tmp_path_factory, head, rows, encoding
):
    folder = tmp_path_factory.mktemp("m")
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_bytes(name.encode())
    delimiter = next((mark for mark in ";\t" if mark in head), ",")
    lines = [head, *(delimiter.join(row) for row in rows)]
    (folder / "m.csv").write_bytes("\n".join(lines).encode(encoding))
    try:
        dataset = read_dataset(folder / "m.csv")
    except DataError as error:
        refusal = str(error)
    else:
        refusal = ""
        assert len({image.path for image in dataset.images}) == len(dataset.images)
        assert all(label == label.strip() != "" for label in dataset.classes)
        assert len({image.split is None for image in dataset.images}) == 1
    assert len(refusal.splitlines()) <= 1


@given(st.binary(max_size=60))
def test_any_bytes_are_rows_or_refused(data):
    try:
        rows = list(read_table(data, "m").rows)
    except DataError:
        rows = []
    assert all(row.problem or row.line >= 1 for row in rows)
