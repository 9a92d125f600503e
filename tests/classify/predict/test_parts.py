"""Labels of very many images: files of a folder, whole or not there, and never written twice."""

import csv

import pytest

from headstart.classify.predict import parts
from headstart.classify.predict.parts import write_parts
from headstart.classify.predict.predict import Prediction
from headstart.errors import DataError
from headstart.extract.ledger import Failure


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(parts, "ROWS", 4)


class Labeller:
    """Labels each image by its number; stops where it is told to."""

    def __init__(self, stop_at=None):
        self.seen = []
        self.stop_at = stop_at

    def __call__(self, images):
        for image in images:
            self.seen.append(image)
            if image == self.stop_at:
                raise KeyboardInterrupt
            if image.name.startswith("torn"):
                yield Failure(image, "torn")
            else:
                yield Prediction(image, [("red", 0.75), ("blue", 0.25)])


@pytest.fixture
def images(tmp_path):
    return [tmp_path / f"{'torn' if n == 5 else 'whole'}-{n}.jpg" for n in range(10)]


@pytest.fixture(params=["csv", "parquet"])
def form(request):
    return request.param


def rows_in(folder):
    """Return all rows as text, nothing as an empty one."""
    if files := sorted(folder.glob("*.parquet")):
        parquet = pytest.importorskip("pyarrow.parquet", reason="pip install 'headstart[parquet]'")
        rows = [row for file in files for row in parquet.read_table(file).to_pylist()]
        return [{name: "" if v is None else v for name, v in row.items()} for row in rows]
    texts = [file.read_text().splitlines() for file in sorted(folder.glob("*.csv"))]
    return [row for lines in texts for row in csv.DictReader(lines)]


def test_every_image_has_a_row_in_order(images, tmp_path, form):
    written = write_parts(tmp_path / "out", images, Labeller(), 3, "model", form)
    assert (written.labelled, written.failed, written.kept) == (9, 1, 0)
    rows = rows_in(tmp_path / "out")
    assert [row["path"] for row in rows] == [str(image) for image in images]
    assert [row["error"] for row in rows] == ["torn" if n == 5 else "" for n in range(10)]
    assert rows[0]["class_2"] == "blue"
    assert rows[0]["class_3"] == ""


def test_a_run_that_was_stopped_goes_on_where_it_was(images, tmp_path, form):
    with pytest.raises(KeyboardInterrupt):
        write_parts(tmp_path / "out", images, Labeller(stop_at=images[6]), 1, "model", form)
    assert len(rows_in(tmp_path / "out")) == 4, "whole files alone"
    again = Labeller()
    written = write_parts(tmp_path / "out", images, again, 1, "model", form)
    assert (written.labelled, written.failed, written.kept) == (5, 1, 4)
    assert again.seen == images[4:]
    assert [row["path"] for row in rows_in(tmp_path / "out")] == [str(image) for image in images]


@pytest.mark.parametrize(("top", "made_by"), [(2, "model"), (1, "another")])
def test_another_question_gets_files_of_its_own(images, tmp_path, top, made_by):
    write_parts(tmp_path / "out", images, Labeller(), 1, "model")
    again = Labeller()
    write_parts(tmp_path / "out", images, again, top, made_by)
    assert again.seen == images


def test_a_folder_that_cannot_be_written_is_told(images, tmp_path):
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot write .*part-000000-.*\.csv: "):
        write_parts(tmp_path / "out", images, Labeller(), 1, "model")


def test_the_command_writes_parts_and_goes_on(headstart, trained, tmp_path):
    model, folder = trained()
    out = tmp_path / "labels"
    status, text, _ = headstart("predict", model, folder, "--out", out, "--top", 1)
    assert (status, text.split(" images")[0]) == (0, f"{len(rows_in(out))}")
    again = headstart("predict", model, folder, "--out", out, "--top", 1)[1]
    assert again.startswith("0 images labelled, 0 failed, ")
    status, _, err = headstart("predict", model, folder, "--out", out, "--json")
    assert status == 1
    assert "--out writes files alone" in err
    status, _, err = headstart("predict", model, folder, "--out", out, "--format", "jsonl")
    assert status == 1
    assert "csv, parquet" in err


def test_the_command_writes_parquet_with_the_types_that_the_figures_have(
    headstart, trained, tmp_path
):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pip install 'headstart[parquet]'")
    model, folder = trained()
    out = tmp_path / "labels"
    command = ("predict", model, folder, "--out", out, "--top", 1, "--format", "parquet")
    assert headstart(*command)[0] == 0
    names = ["path", "label", "probability", "abstained", "class_1", "p_1", "error"]
    schema = parquet.read_table(next(out.glob("*.parquet"))).schema
    kinds = ["string", "string", "double", "bool", "string", "double", "string"]
    assert [(field.name, str(field.type)) for field in schema] == [*zip(names, kinds, strict=True)]
    printed = headstart("predict", model, folder, "--format", "csv", "--top", 1)[1].splitlines()
    rows = rows_in(out)
    assert [row["path"] for row in rows] == [line.split(",")[0] for line in printed[1:]]
    sure = [float(line.split(",")[2]) for line in printed[1:]]
    assert [row["probability"] for row in rows] == pytest.approx(sure, rel=1e-6)


def test_parts_of_the_images_are_labelled_once_each(headstart, trained, tmp_path):
    model, folder = trained()
    out = tmp_path / "labels"
    for number in (1, 2, 3):
        assert headstart("predict", model, folder, "--out", out, "--part", f"{number}/3")[0] == 0
    paths = [row["path"] for row in rows_in(out)]
    whole = headstart("predict", model, folder, "--format", "csv")[1].splitlines()[1:]
    assert sorted(paths) == sorted(line.split(",")[0] for line in whole)
