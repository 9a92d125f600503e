"""Progress goes one way: said anywhere, heard by the innermost listener of the process."""

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakes import Listening
from headstart.console import stages
from headstart.extract.features import load_features
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source
from headstart.progress import counted, heard_by, note, silent, stage


def test_nobody_hears_anything_by_default(capsys):
    assert stage("extracting") is silent
    stage("extracting")(1, 2, "words")
    note("a download")
    assert capsys.readouterr() == ("", "")


def test_the_innermost_listener_hears_alone_and_the_outer_one_after_it():
    with heard_by(Listening()) as outer:
        with heard_by(Listening()) as inner:
            note("within")
        note("after")
    note("too late")
    assert (outer.notes, inner.notes) == (["after"], ["within"])


def test_a_listener_leaves_with_an_error():
    with pytest.raises(ValueError, match="broken"), heard_by(Listening()):
        raise ValueError("broken")
    assert stage("extracting") is silent


def test_threads_of_a_pool_are_heard(heard):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(note, "abcd"))
        list(pool.map(lambda done: stage("mapping")(done, 4), range(4)))
    assert sorted(heard.notes) == list("abcd")
    assert sorted(heard.progress) == [(done, 4) for done in range(4)]


def test_blocks_of_two_threads_end_in_any_order():
    first, second = Listening(), Listening()
    begun, ended = threading.Event(), threading.Event()

    def other():
        with heard_by(second):
            begun.set()
            ended.wait(600)

    thread = threading.Thread(target=other)
    with heard_by(first):
        thread.start()
        assert begun.wait(600)
        note("to the innermost")
    note("to the one that is left")
    ended.set()
    thread.join()
    note("to nobody")
    assert (first.notes, second.notes) == ([], ["to the innermost", "to the one that is left"])


def test_another_process_has_no_listener(heard):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.apply(note, ["from afar"])
    assert heard.notes == []


def test_stages_bear_a_count_and_notes_do_not(heard):
    with counted("2/5"):
        stage("fitting")
        note("a line")
    stage("figures")
    assert (heard.stages, heard.notes) == (["2/5 fitting", "figures"], ["a line"])


def test_a_count_without_a_listener_is_silent():
    with counted("2/5"):
        assert stage("fitting") is silent


def test_python_users_see_what_the_command_line_shows(capsys, tmp_path, photographs, fake_engine):
    paths = [image.path for image in read_dataset(photographs).images]
    source = feature_source(execution=Execution(cache=tmp_path / "cache"))
    with stages():
        load_features(paths, source)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines()[0] == "extracting"
    assert told.err.splitlines()[-1].startswith("extracting: 30/30, ")


def test_quiet_stages_show_nothing(capsys):
    with stages(quiet=True):
        stage("extracting")(1, 2)
        note("a download")
    assert capsys.readouterr() == ("", "")
