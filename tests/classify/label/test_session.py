"""Labels given, taken back and merged; guesses that come of them; and the same model as fit head."""

import csv
import shutil

import pytest

from headstart.classify.data.collection import load_collection
from headstart.classify.fit.fit_heads import HeadSettings, fit_heads
from headstart.classify.label.session import open_session
from headstart.classify.saved.load import load_model
from headstart.errors import DataError, OptionError
from headstart.extract.images.dataset import read_dataset, read_photographs
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source
from near import near
from pictures import COLOURS, paint


@pytest.fixture
def flat(photographs, tmp_path):
    folder = tmp_path / "flat"
    folder.mkdir()
    for file in sorted(photographs.glob("*/*")):
        shutil.copy(file, folder / f"{file.parent.name}-{file.name}")
    return folder


@pytest.fixture
def opened(fake_engine, tmp_path):
    """Open a session on a folder; each is closed in the end."""
    sessions = []

    def go(root, out=tmp_path / "labels.csv"):
        source = feature_source(execution=Execution(cache=tmp_path / "cache"))
        session, _ = open_session(load_collection(read_photographs(root), source), source, out)
        sessions.append(session)
        return session

    yield go
    for session in sessions:
        session.wait()
        session.close()
        session.file.__exit__()


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return {
            name.rpartition("/")[2]: (label, reason)
            for name, label, reason in list(csv.reader(file))[1:]
        }


def truth(photograph):
    return photograph["name"].partition("-")[0]


def label_all(session, count=30):
    """Label what is shown until so many have labels."""
    while session.state()["labelled"] < count:
        batch = session.next(6)
        session.give({photograph["row"]: truth(photograph) for photograph in batch})
    session.wait()


def test_what_is_shown_and_given_is_in_the_file_with_its_reason(opened, flat):
    session = opened(flat)
    batch = session.next(6)
    assert [photograph["guess"] for photograph in batch] == [None] * 6
    session.give({photograph["row"]: truth(photograph) for photograph in batch})
    written = rows(session.file.path)
    assert written == {photograph["name"]: (truth(photograph), "typical") for photograph in batch}
    assert session.state()["labelled"] == 6


def test_the_first_six_have_all_three_colours_and_the_guesses_are_right(opened, flat):
    session = opened(flat)
    label_all(session, 12)
    assert {each["name"] for each in session.state()["classes"]} == set(COLOURS)
    for photograph in session.listed("", 0, 30):
        assert photograph["guess"] == truth(photograph)
    assert session.state()["quality"]["labelled"]["accuracy"] == 1


def test_labels_are_there_again_after_a_restart(opened, flat):
    session = opened(flat)
    label_all(session, 12)
    before = rows(session.file.path)
    session.file.__exit__()
    session.file = type("Closed", (), {"__exit__": lambda self: None})()
    again = opened(flat)
    assert again.state()["labelled"] == 12
    assert rows(again.file.path) == before


def test_undo_takes_back_the_last_and_shows_it_again(opened, flat):
    session = opened(flat)
    first, second = session.next(2)
    session.give({first["row"]: "red"})
    session.give({second["row"]: "blue"})
    session.give({first["row"]: "green"})
    assert [photograph["label"] for photograph in session.undo()] == ["red"]
    assert [photograph["row"] for photograph in session.undo()] == [second["row"]]
    assert set(rows(session.file.path)) == {first["name"]}
    session.undo()
    assert session.undo() == []
    assert rows(session.file.path) == {}


def test_classes_are_added_renamed_and_merged_at_any_time(opened, flat):
    session = opened(flat)
    label_all(session, 12)
    session.add_class("violet")
    session.rename("red", "crimson")
    assert "red" not in {each["name"] for each in session.state()["classes"]}
    session.rename("crimson", "blue")
    session.wait()
    counts = {each["name"]: each["photographs"] for each in session.state()["classes"]}
    assert set(counts) == {"blue", "green", "violet"}
    assert sum(counts.values()) == 12
    assert {label for label, _ in rows(session.file.path).values()} == {"blue", "green"}
    session.undo()
    assert "crimson" in {label for label, _ in rows(session.file.path).values()}


def test_a_name_is_text_in_one_spelling(opened, flat):
    session = opened(flat)
    session.give({0: "  e\u0301cureuil "})
    assert session.state()["classes"][0]["name"] == "\xe9cureuil"
    for name in ("x" * 201, "\ud800"):
        with pytest.raises(OptionError, match="a class's name"):
            session.give({1: name})
    with pytest.raises(OptionError, match="no photograph 30"):
        session.give({30: "red"})
    assert session.state()["labelled"] == 1


def test_copies_of_the_same_bytes_get_the_label_too(opened, flat):
    shutil.copy(flat / "red-1.jpg", flat / "again.jpg")
    session = opened(flat)
    names = [photograph["name"] for photograph in session.listed(None, 0, 31)]
    session.give({names.index("red-1.jpg"): "red"})
    assert set(rows(session.file.path)) == {"red-1.jpg", "again.jpg"}


def test_what_is_skipped_is_not_shown_again(opened, flat):
    session = opened(flat)
    batch = session.next(6)
    session.skip(photograph["row"] for photograph in batch)
    assert not {p["row"] for p in batch} & {p["row"] for p in session.next(30)}


def test_labels_of_folders_are_taken_over(opened, photographs, tmp_path):
    paint(photographs / "new.png", COLOURS["red"], seed=777)
    session = opened(photographs)
    session.wait()
    state = session.state()
    assert (state["photographs"], state["labelled"]) == (31, 30)
    (new,) = session.next(12)
    assert (new["name"], new["guess"]) == ("new.png", "red")
    assert rows(session.file.path)["0.png"][1] == "given"


def test_doubted_labels_are_reviewed_once(opened, flat):
    session = opened(flat)
    label_all(session, 30)
    names = [photograph["name"] for photograph in session.listed(None, 0, 30)]
    wrong = names.index("red-1.jpg")
    session.give({wrong: "blue"})
    session.wait()
    doubted = session.review(12)
    assert (doubted[0]["row"], doubted[0]["label"], doubted[0]["guess"]) == (wrong, "blue", "red")
    session.give({wrong: "red"}, "corrected")
    assert rows(session.file.path)["red-1.jpg"] == ("red", "corrected")
    assert wrong not in {photograph["row"] for photograph in session.review(12)}


def test_the_button_makes_the_model_that_fit_head_makes(opened, flat, tmp_path):
    session = opened(flat)
    label_all(session, 30)
    fitted = session.fit(tmp_path / "button.headstart")
    run = fit_heads(
        read_dataset(session.file.path), session.source, HeadSettings(), tmp_path / "m.headstart"
    )
    assert fitted["accuracy"] == pytest.approx(run.best["evaluation"]["accuracy"])
    ours, theirs = (load_model(tmp_path / f"{name}.headstart") for name in ("button", "m"))
    assert ours.classes == theirs.classes == sorted(COLOURS)
    of = session.collection.X
    assert ours.predict_proba(of).tolist() == near(theirs.predict_proba(of).tolist())


def test_too_few_labels_to_fit_are_told(opened, flat, tmp_path):
    session = opened(flat)
    session.give({0: "red"})
    with pytest.raises(DataError):
        session.fit(tmp_path / "m.headstart")


def test_nothing_to_label_is_told(opened, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError):
        opened(tmp_path / "empty")


def test_a_file_outside_changes_nothing_that_a_page_can_read(opened, flat):
    session = opened(flat)
    for name in ("../../etc/passwd", "0" * 64, ""):
        with pytest.raises(OptionError, match="no such photograph"):
            session.picture(name)
