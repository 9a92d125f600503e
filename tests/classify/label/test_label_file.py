"""Labels are on the disk at once, in a manifest that fit head takes, whatever happens."""

import csv
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.classify.label.label_file import Given, LabelFile
from headstart.errors import DataError
from headstart.extract.images.dataset import read_dataset
from pictures import HOSTILE

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=9)


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return [tuple(row) for row in csv.reader(file)][1:]


@given(st.lists(st.dictionaries(NAMES, st.builds(Given, TEXTS, TEXTS), max_size=4), max_size=5))
def test_what_is_put_is_read_again_the_last_of_each_name(puts):
    with tempfile.TemporaryDirectory() as folder:
        path, expected = Path(folder, "labels.csv"), {}
        with LabelFile(path) as file:
            for labels in puts:
                file.put(labels)
                expected |= labels
                expected = {name: row for name, row in expected.items() if row.label}
        with LabelFile(path) as again:
            assert again.labels == expected
        assert sorted(rows(path)) == sorted((name, *row) for name, row in expected.items())


def test_new_labels_are_appended_and_changes_replace_the_file(tmp_path):
    path = tmp_path / "labels.csv"
    with LabelFile(path) as file:
        file.put({"1.jpg": Given("cat")})
        node = path.stat().st_ino
        file.put({"2.jpg": Given("dog", "unsure")})
        assert path.stat().st_ino == node
        file.put({"1.jpg": Given("dog", "corrected")})
        assert rows(path) == [("1.jpg", "dog", "corrected"), ("2.jpg", "dog", "unsure")]
        file.put({"2.jpg": Given("")})
        assert rows(path) == [("1.jpg", "dog", "corrected")]


def test_a_line_torn_by_a_power_cut_is_cut_off(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("path,label,reason\n1.jpg,cat,\n2.jpg,do")
    with LabelFile(path) as file:
        assert file.labels == {"1.jpg": Given("cat")}
        file.put({"3.jpg": Given("dog")})
    assert rows(path) == [("1.jpg", "cat", ""), ("3.jpg", "dog", "")]


def test_two_processes_never_write_one_file(tmp_path):
    path = tmp_path / "labels.csv"
    with LabelFile(path) as file:
        for _ in range(2):  # after a change, too, which replaces the file
            with pytest.raises(DataError, match="another 'headstart label' writes"):
                LabelFile(path)
            file.put({"1.jpg": Given(str(_))})
            file.put({"1.jpg": Given(str(_) + "!")})
    LabelFile(path).__exit__()


def test_another_table_is_left_alone(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("path,label,split\n1.jpg,cat,train\n")
    with pytest.raises(DataError, match=r"no manifest that 'headstart label' wrote.*--out"):
        LabelFile(path)
    assert path.read_text() == "path,label,split\n1.jpg,cat,train\n"


def test_a_disk_that_refuses_changes_nothing(tmp_path, monkeypatch):
    path = tmp_path / "labels.csv"
    with LabelFile(path) as file:
        file.put({"1.jpg": Given("cat")})
        before = path.read_bytes()

        def full(descriptor, data):
            os.truncate(path, len(before) + 3)  # some of it was written
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(DataError, match="No space left on device"):
                file.put({"2.jpg": Given("dog")})
        assert path.read_bytes() == before
        assert "2.jpg" not in file.labels


def test_names_are_relative_below_the_manifest_and_whole_elsewhere(tmp_path):
    with LabelFile(tmp_path / "labels.csv") as file:
        assert file.name(tmp_path / "a" / "1.jpg") == "a/1.jpg"
        assert file.name(Path("/elsewhere/1.jpg")) == "/elsewhere/1.jpg"


def test_fit_reads_hostile_names_back(tmp_path):
    names = [
        " leading.jpg",
        'comma,quote".jpg',
        "line\nend.jpg",
        *[h.replace("/", "_") for h in HOSTILE],
    ]
    files = [tmp_path / name for name in names]
    with LabelFile(tmp_path / "labels.csv") as file:
        for number, path in enumerate(files):
            path.write_bytes(b"x%d" % number)
            file.put({file.name(path): Given(f"class {number % 2}")})
    dataset = read_dataset(tmp_path / "labels.csv")
    assert [image.path.resolve() for image in dataset.images] == [path.resolve() for path in files]


WRITER = """
import sys
from pathlib import Path
from headstart.classify.label.label_file import Given, LabelFile
file = LabelFile(Path(sys.argv[1]))
number = 0
while True:
    file.put({f"{number}.jpg": Given("cat")})
    if number % 3 == 0:
        file.put({f"{number}.jpg": Given("dog")})
    print(number, flush=True)
    number += 1
"""


def test_a_kill_loses_nothing_that_was_said(tmp_path):
    path = tmp_path / "labels.csv"
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(25):
            said = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        said = max([said, *map(int, process.stdout.read().split())])
    with LabelFile(path) as file:
        for number in range(said + 1):
            assert file.labels[f"{number}.jpg"].label == ("cat" if number % 3 else "dog")
