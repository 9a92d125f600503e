"""Photographs found by an image, by several, by a class of a model; without labels."""

import json
import shutil

import pytest

from headstart import cli
from headstart.classify.saved.load import load_model
from headstart.classify.search.page import write_search
from headstart.classify.search.search import search_class, search_like
from headstart.errors import DataError, OptionError
from headstart.extract.images.dataset import read_photographs
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source
from near import near
from pictures import COLOURS, HOSTILE, paint


@pytest.fixture
def flat(photographs, tmp_path):
    """The thirty photographs in one folder: red-3.jpg and so on."""
    folder = tmp_path / "flat"
    folder.mkdir()
    for file in sorted(photographs.glob("*/*")):
        shutil.copy(file, folder / f"{file.parent.name}-{file.name}")
    return folder


@pytest.fixture
def search(fake_engine, flat, tmp_path):
    def go(*likes, top=5, root=flat, index=None):
        source = feature_source(execution=Execution(cache=tmp_path / "cache"))
        likes = [str(like) for like in likes]
        return search_like(read_photographs(root), likes, source, top, index=index)

    return go


def names(found):
    return [result.path.name for result in found.results]


def test_the_nearest_of_a_red_photograph_are_red_and_itself_is_left_out(search, flat):
    found = search(flat / "red-3.jpg", top=9)
    assert {name.partition("-")[0] for name in names(found)} == {"red"}
    assert "red-3.jpg" not in names(found)
    scores = [result.score for result in found.results]
    assert scores == sorted(scores, reverse=True)
    assert 0.9 < scores[-1] <= 1


def test_copies_of_what_is_looked_for_are_left_out(search, flat, tmp_path):
    shutil.copy(flat / "red-3.jpg", flat / "again.jpg")
    shutil.copy(flat / "red-3.jpg", tmp_path / "elsewhere.jpg")
    assert not {"again.jpg", "red-3.jpg"} & set(names(search(tmp_path / "elsewhere.jpg", top=31)))


def test_an_index_finds_the_same_and_copies_too(search, flat, tmp_path):
    pytest.importorskip("usearch", reason="headstart[index] is not installed")
    shutil.copy(flat / "red-3.jpg", flat / "again.jpg")
    shutil.copy(flat / "red-4.jpg", flat / "copy.jpg")
    exact, found = (search(flat / "red-3.jpg", top=12, index=i) for i in (None, tmp_path / "i"))
    assert names(found) == names(exact)
    assert {"red-4.jpg", "copy.jpg"} <= set(names(found))
    assert [each.score for each in found.results] == near([each.score for each in exact.results])
    assert [file.suffix for file in (tmp_path / "i").iterdir()] == [".usearch"]


def test_several_are_looked_for_by_their_mean(search, flat, tmp_path):
    violet = paint(tmp_path / "v" / "violet.png", (120, 55, 125), seed=7)
    shutil.copy(violet, flat / "violet.png")
    assert names(search(flat / "red-3.jpg", flat / "blue-3.jpg"))[0] == "violet.png"


def test_the_document_says_what_was_found(search, flat):
    document = search(flat / "red-3.jpg", top=2).to_dict()
    assert json.loads(json.dumps(document)) == document
    assert (document["version"], document["images"], document["score"]) == (1, 30, "cosine")
    assert document["results"][0]["label"] is None


def test_an_image_that_cannot_be_read_is_told(search, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"broken.jpg"):
        search(tmp_path / "broken.jpg")


def test_the_page_shows_thumbnails_and_a_name_is_text(search, flat, tmp_path):
    shutil.copy(flat / "red-3.jpg", flat / "plain.jpg")
    hostile = flat / (HOSTILE[1].replace("/", "_") + ".png")
    paint(hostile, COLOURS["red"], seed=3)
    page = write_search(search(flat / "red-3.jpg"), tmp_path / "out").read_text()
    assert page.count("data:image/jpeg") == 6
    assert "<img src=x" not in page


def test_most_like_a_class_of_a_model(trained, fake_engine, flat, tmp_path):
    model = load_model(trained()[0], to_label=True)
    execution = Execution(cache=tmp_path / "cache")
    found = search_class(read_photographs(flat), model, "red", execution, 10)
    assert {name.partition("-")[0] for name in names(found)} == {"red"}
    assert found.score == "probability"
    with pytest.raises(OptionError, match=r"unknown class 'rde'; did you mean 'red'"):
        search_class(read_photographs(flat), model, "rde", execution, 10)


def test_the_command_needs_one_thing_to_look_for(fake_engine, flat, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["headstart", "search", str(flat)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "--like IMAGE, or --model MODEL --class NAME" in capsys.readouterr().err


def test_the_command_prints_a_table_and_a_page(fake_engine, flat, tmp_path, monkeypatch, capsys):
    like = str(flat / "red-3.jpg")
    arguments = ["search", str(flat), "--like", like, "--top", "3", "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", ["headstart", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert said.count("red-") == 3
    assert "search.html" in said
