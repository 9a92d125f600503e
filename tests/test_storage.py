"""Files that are replaced in one piece."""

import os
import stat

import pytest

from headstart.storage import replacing


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "made" / "notes.txt"
    for text in ("first", "second"):
        with replacing(path, durable=True) as temporary:
            temporary.write_text(text)
            assert temporary.parent == path.parent
            assert temporary.name.endswith(f".{os.getpid()}.tmp")
        assert path.read_text() == text
    assert [entry.name for entry in path.parent.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_block_that_fails_leaves_the_old_file_and_no_temporary(tmp_path, failure, kind):
    path = tmp_path / "notes.txt"
    path.write_text("old")

    def fail():
        with replacing(path) as temporary:
            if kind == "folder":
                temporary.mkdir()
                (temporary / "part").write_text("half")
            else:
                temporary.write_text("half")
            raise failure

    with pytest.raises(type(failure)):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_as_long_as_the_disk_allows_can_be_replaced(tmp_path):
    path = tmp_path / ("n" * 255)
    with replacing(path) as temporary:
        temporary.write_text("whole")
    assert path.read_text() == "whole"


def test_what_is_written_has_the_permissions_of_any_other_file(tmp_path):
    (tmp_path / "plain").touch()
    with replacing(tmp_path / "replaced") as temporary:
        temporary.touch()
    plain, replaced = ((tmp_path / name).stat() for name in ("plain", "replaced"))
    assert stat.S_IMODE(replaced.st_mode) == stat.S_IMODE(plain.st_mode)
