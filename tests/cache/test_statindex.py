"""The stat index: never wrong about a file, and never needed."""

import os
import sqlite3
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.cache import Sighting, StatIndex, statindex
from headstart.cache.statindex import at_rest

LONG_AGO = 1_600_000_000_123_456_789
DIGEST = bytes(range(32))


def stat_of(**changes):
    """Return what os.stat tells of a file that has lain still since 2020."""
    values = {
        "st_size": 7,
        "st_mtime_ns": LONG_AGO,
        "st_ctime_ns": LONG_AGO,
        "st_ino": 11,
        **changes,
    }
    return SimpleNamespace(**values)


def seen(path, stat, read_ns=LONG_AGO + 10**12):
    return Sighting(path, stat, read_ns, DIGEST)


@pytest.fixture
def index(tmp_path):
    with StatIndex(tmp_path / "deep" / "stat.sqlite") as opened:
        yield opened


def test_a_file_at_rest_is_remembered_by_the_next_process_too(tmp_path):
    path = tmp_path / "a.jpg"
    with StatIndex(tmp_path / "stat.sqlite") as first:
        first.record([seen(path, stat_of())])
    with StatIndex(tmp_path / "stat.sqlite") as second:
        assert second.look_up([(path, stat_of())])[0] == DIGEST
        assert second.problem is None


@pytest.mark.parametrize("field", ["st_size", "st_mtime_ns", "st_ctime_ns", "st_ino"])
def test_a_file_that_looks_different_in_any_way_is_unknown(index, tmp_path, field):
    path = tmp_path / "a.jpg"
    index.record([seen(path, stat_of())])
    assert index.look_up([(path, stat_of(**{field: getattr(stat_of(), field) + 1}))])[0] is None


@pytest.mark.parametrize(
    "beyond",
    [{"st_ino": 2**63}, {"st_ino": 2**64 - 1}, {"st_mtime_ns": 10**19}, {"st_ctime_ns": -(10**19)}],
)
def test_a_file_whose_numbers_sqlite_cannot_hold_is_not_remembered(index, tmp_path, beyond):
    path, other = tmp_path / "a.jpg", tmp_path / "b.jpg"
    index.record([seen(path, stat_of(**beyond), 10**20), seen(other, stat_of(), 10**20)])
    assert index.look_up([(path, stat_of(**beyond))])[0] is None
    assert index.look_up([(other, stat_of())])[0] == DIGEST, "those beside it are"
    assert index.problem is None


def test_another_file_of_the_same_looks_is_unknown(index, tmp_path):
    index.record([seen(tmp_path / "a.jpg", stat_of())])
    assert index.look_up([(tmp_path / "b.jpg", stat_of())])[0] is None


def test_a_later_sighting_replaces_an_earlier_one(index, tmp_path):
    path = tmp_path / "a.jpg"
    index.record([seen(path, stat_of())])
    later = stat_of(st_size=8)
    index.record([Sighting(path, later, LONG_AGO + 10**12, b"n" * 32)])
    assert index.look_up([(path, later)])[0] == b"n" * 32
    assert index.look_up([(path, stat_of())])[0] is None


def test_a_relative_path_and_its_absolute_one_are_the_same_file(index, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    index.record([seen(tmp_path / "a.jpg", stat_of())])
    relative = os.path.relpath(tmp_path / "a.jpg")
    assert index.look_up([(type(tmp_path)(relative), stat_of())])[0] == DIGEST


def test_a_name_that_is_not_utf8_is_remembered(index, tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.jpg")
    index.record([seen(path, stat_of())])
    assert index.look_up([(path, stat_of())])[0] == DIGEST


def test_a_file_written_just_before_it_was_read_is_not_remembered(index, tmp_path):
    path = tmp_path / "a.jpg"
    index.record([seen(path, stat_of(), read_ns=LONG_AGO + 1_000)])
    assert index.look_up([(path, stat_of())])[0] is None


def test_old_times_put_back_by_hand_do_not_hide_a_change(index, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"before!")
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    before = path.stat()
    index.record([Sighting(path, before, before.st_ctime_ns + 10**10, DIGEST)])
    assert index.look_up([(path, path.stat())])[0] == DIGEST
    other = tmp_path / "b.jpg"
    other.write_bytes(b"after!!")
    os.utime(other, ns=(LONG_AGO, LONG_AGO))
    other.replace(path)
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_size == before.st_size
    assert index.look_up([(path, path.stat())])[0] is None


@given(
    tick=st.sampled_from([1, 100, 1_000_000, 4_000_000, 10_000_000, 10**9, 2 * 10**9]),
    written=st.integers(LONG_AGO, LONG_AGO + 10**10),
    until_read=st.integers(0, 3 * 10**9),
    until_changed=st.integers(0, 3 * 10**9),
)
def test_whatever_the_clocks_tick_a_trusted_file_cannot_change_unseen(
    tick, written, until_read, until_changed
):
    def stamp(now):
        return now // tick * tick

    read = written + until_read
    stat = SimpleNamespace(st_mtime_ns=stamp(written), st_ctime_ns=stamp(written))
    if at_rest(stat, read):
        assert stamp(read + until_changed) != stamp(written)


def test_a_file_from_the_future_is_not_trusted():
    stat = stat_of()
    assert not at_rest(stat, LONG_AGO - 10**12)


def test_the_later_of_both_times_decides():
    assert not at_rest(stat_of(st_ctime_ns=LONG_AGO + 10**12), LONG_AGO + 10**12 + 1)
    assert not at_rest(stat_of(st_mtime_ns=LONG_AGO + 10**12), LONG_AGO + 10**12 + 1)


def test_a_database_that_is_none_is_told_and_remembers_nothing(tmp_path):
    place = tmp_path / "stat.sqlite"
    place.write_bytes(b"this is no database, and long enough that SQLite says so " * 40)
    with StatIndex(place) as index:
        assert "stat.sqlite cannot be used (" in index.problem
        assert index.problem.endswith("images are read again")
        index.record([seen(tmp_path / "a.jpg", stat_of())])
        assert index.look_up([(tmp_path / "a.jpg", stat_of())])[0] is None


def test_a_place_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with StatIndex(tmp_path / "file" / "stat.sqlite") as index:
        assert "cannot be used" in index.problem


@pytest.mark.parametrize("act", ["look_up", "record"])
def test_a_database_that_breaks_under_way_is_given_up_without_an_error(tmp_path, act):
    with StatIndex(tmp_path / "stat.sqlite") as index:
        index._connection.execute("DROP TABLE file")
        if act == "record":
            index.record([seen(tmp_path / "a.jpg", stat_of())])
        assert index.look_up([(tmp_path / "a.jpg", stat_of())])[0] is None
        assert "no such table: file" in index.problem


def test_files_that_nobody_asked_for_in_half_a_year_are_forgotten(tmp_path, monkeypatch):
    def on(day):
        monkeypatch.setattr(statindex, "_today", lambda: day)
        return StatIndex(tmp_path / "stat.sqlite")

    gone, kept = tmp_path / "gone.jpg", tmp_path / "kept.jpg"
    with on(1000) as index:
        index.record([seen(gone, stat_of()), seen(kept, stat_of())])
    with on(1100) as index:
        assert index.look_up([(kept, stat_of())]) == [DIGEST]
    with on(1190) as index:
        files = [(gone, stat_of()), (kept, stat_of())]
        assert index.look_up(files) == [None, DIGEST]


def test_an_index_of_an_older_headstart_is_read_on(tmp_path):
    path = tmp_path / "a.jpg"
    with sqlite3.connect(tmp_path / "stat.sqlite") as old:
        old.execute(statindex._SCHEMA)
        row = (os.fsencode(path), 7, LONG_AGO, LONG_AGO, 11, DIGEST)
        old.execute("INSERT INTO file VALUES (?, ?, ?, ?, ?, ?)", row)
    old.close()
    for _ in range(2):
        with StatIndex(tmp_path / "stat.sqlite") as index:
            assert index.look_up([(path, stat_of())]) == [DIGEST]
            assert index.problem is None


def test_many_files_are_asked_for_at_once_in_their_order(index, tmp_path):
    paths = [tmp_path / f"{n}.jpg" for n in range(1234)]
    index.record(
        [
            Sighting(p, stat_of(), LONG_AGO + 10**12, bytes([n % 256]) * 32)
            for n, p in enumerate(paths)
        ]
    )
    asked = [(path, stat_of()) for path in [*paths, tmp_path / "absent", *paths[:3]]]
    expected = [bytes([n % 256]) * 32 for n in range(1234)]
    assert index.look_up(asked) == [*expected, None, *expected[:3]]
