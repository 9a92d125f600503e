"""Disks that are full, read-only, forbidden or oddly named: one line, and nothing lost."""

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headstart.cache import FeatureStore
from headstart.cache.catalogue import specs
from headstart.cache.verify import verify
from pictures import COLOURS, paint

ROOT = os.geteuid() == 0


def mount(place, options):
    """Mount a small disk of its own."""
    place.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path):
    """Return a folder that is a disk of one megabyte."""
    if not ROOT:
        pytest.skip("only root can mount a small disk")
    place = tmp_path / "disk"
    mount(place, "size=1m")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def rows_of(cache):
    """Return digest to row of all that a cache holds."""
    (spec, _) = specs(cache)[0]
    store = FeatureStore(cache, spec)
    digests = sorted(store.digests())
    return dict(zip(digests, store.read(digests).tolist(), strict=True))


def more_photographs(root):
    for n in range(40):
        paint(root / "red" / f"more{n}.png", COLOURS["red"], seed=900 + n)


def last_line(err):
    assert "Traceback" not in err
    return err.splitlines()[-1]


def test_a_full_disk_is_told_and_what_was_committed_stays(headstart, photographs, disk):
    headstart("extract", "features", photographs, "--cache", disk)
    before = rows_of(disk)
    filler = disk / "filler"
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    more_photographs(photographs)
    status, out, err = headstart("extract", "features", photographs, "--cache", disk)
    assert (status, out) == (1, "")
    assert "No space left on device" in last_line(err)
    assert "--cache DIR" in last_line(err)
    assert rows_of(disk) == before
    assert not verify(disk).problems
    filler.unlink()
    assert (
        "40 extracted, 30 reused"
        in (headstart("extract", "features", photographs, "--cache", disk)[1])
    )
    assert not list(disk.rglob(".*")), "no temporary file is left"


def test_a_full_disk_stops_a_compaction_and_nothing_is_lost(headstart, photographs, disk):
    headstart("extract", "features", photographs, "--cache", disk)
    more_photographs(photographs)
    headstart("extract", "features", photographs, "--cache", disk)
    before = rows_of(disk)
    with contextlib.suppress(OSError), open(disk / "filler", "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    status, _, err = headstart("cache", "compact", "--cache", disk)
    assert status == 1
    assert "No space left on device" in last_line(err)
    assert rows_of(disk) == before


# The command line with the fake engine, in a process of its own.
COMMAND = """
import resource, sys
sys.path.insert(0, {tests!r})
from fakes import FakeEngine
from headstart import cli
from headstart.extract.engine.open_engine import MAKERS
MAKERS.update(dict.fromkeys(MAKERS, FakeEngine))
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))
sys.argv = ["headstart", *sys.argv[1:]]
cli.main()
"""


def run(place, *arguments, limit=resource.RLIM_INFINITY, without_rights=False):
    """Run headstart; ``without_rights`` binds even root to permissions."""
    bound = []
    if without_rights and ROOT:
        if shutil.which("setpriv") is None:
            pytest.skip("root ignores permissions, and there is no setpriv to bind it to them")
        bound = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    script = COMMAND.format(tests=str(Path(__file__).parent), limit=limit)
    return subprocess.run(
        [*bound, sys.executable, "-c", script, *map(str, arguments)],
        cwd=place,
        env={**os.environ, "XDG_CACHE_HOME": str(place / "home")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_quota_on_file_sizes_is_told_like_a_full_disk(headstart, photographs, tmp_path):
    headstart("extract", "features", photographs)
    cache = tmp_path / "headstart_cache"
    before = rows_of(cache)
    more_photographs(photographs)
    arguments = ("extract", "features", photographs, "--cache", cache)
    finished = run(tmp_path, *arguments, limit=1000)
    assert finished.returncode == 1
    assert "File too large" in last_line(finished.stderr)
    assert rows_of(cache) == before
    assert "40 extracted, 30 reused" in headstart("extract", "features", photographs)[1]
    assert not list(cache.rglob(".*"))


@pytest.fixture
def read_only(headstart, photographs, tmp_path):
    """Fill a cache, then let nobody write to it."""
    place = tmp_path / "read only"
    if ROOT:  # root writes whatever the permissions say
        mount(place, "size=1m")
    headstart("extract", "features", photographs, "--cache", place)
    if ROOT:
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    else:
        for folder in (place, *place.iterdir()):
            folder.chmod(0o500)
    yield place
    if ROOT:
        subprocess.run(["umount", str(place)], check=True)
    else:
        for folder in (place, *place.iterdir()):
            folder.chmod(0o700)


def test_a_read_only_cache_is_read_and_its_lack_told(headstart, photographs, read_only):
    whole = headstart("fit", "head", photographs, "--cache", read_only, "--model", "centroid")
    assert whole[0] == 0, whole[2]
    assert headstart("cache", "verify", "--cache", read_only)[0] == 0
    more_photographs(photographs)
    status, out, err = headstart("extract", "features", photographs, "--cache", read_only)
    assert (status, out) == (1, "")
    assert last_line(err).startswith(f"error: cannot write to the cache {read_only}")
    assert "--cache DIR" in last_line(err)
    status, _, err = headstart("cache", "clear", "--yes", "--cache", read_only)
    assert status == 1
    assert "cannot remove" in last_line(err)


@pytest.fixture
def pictures(tmp_path):
    for n in range(4):
        paint(tmp_path / "data" / "red" / f"{n}.png", COLOURS["red"], seed=n)
    return tmp_path / "data"


def test_images_and_folders_without_permission_are_told(pictures, tmp_path):
    (pictures / "red" / "3.png").chmod(0)
    (pictures / "locked").mkdir(mode=0)
    done = run(tmp_path, "extract", "features", "data", "--json", without_rights=True)
    (pictures / "locked").chmod(0o700)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    reason = {"path": "data/red/3.png", "reason": "cannot read: Permission denied"}
    assert (document["failed"], document["extracted"]) == ([reason], 3)
    assert "cannot list data/locked (Permission denied)" in done.stderr


@pytest.mark.parametrize(("mode", "verb"), [(0o500, "write to"), (0, "read")])
def test_a_cache_without_permission_is_told(pictures, tmp_path, mode, verb):
    shut = tmp_path / "shut"
    shut.mkdir(mode=mode)
    arguments = ("extract", "features", "data", "--cache", shut)
    done = run(tmp_path, *arguments, without_rights=True)
    shut.chmod(0o700)
    assert done.returncode == 1
    assert last_line(done.stderr).startswith(f"error: cannot {verb} the cache")
    assert "(Permission denied)" in last_line(done.stderr)
    assert "--cache DIR" in last_line(done.stderr)


def test_a_segment_that_may_not_be_read_is_told_and_not_set_aside(pictures, tmp_path):
    arguments = ("extract", "features", "data", "--cache", tmp_path / "cache")
    assert run(tmp_path, *arguments).returncode == 0
    (segment,) = (tmp_path / "cache").rglob("*.h5")
    segment.chmod(0)
    done = run(tmp_path, *arguments, without_rights=True)
    assert done.returncode == 1
    assert f"cannot read segment {segment} (" in last_line(done.stderr)
    assert segment.exists()


@pytest.mark.parametrize(
    "name", ["a cache", "Bücher 日本 🐒", 'quote\'s "and" $HOME', os.fsdecode(b"caf\xe9\n")]
)
def test_a_cache_may_have_any_name(headstart, photographs, tmp_path, name):
    cache = tmp_path / name
    for _ in range(2):
        status, out, err = headstart("extract", "features", photographs, "--cache", cache)
        assert status == 0, err
    assert "0 extracted, 30 reused" in out
    assert headstart("cache", "verify", "--cache", cache)[0] == 0
    assert headstart("cache", "info", "--cache", cache)[0] == 0
    assert headstart("cache", "compact", "--cache", cache)[0] == 0
    assert len(rows_of(cache)) == 30
    json.loads(headstart("cache", "clear", "--yes", "--json", "--cache", cache)[1])
    assert not list(cache.rglob("*.h5"))
