"""SIGKILL at any moment: nothing committed is lost, little is redone, the end is the same."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from headstart.cache import FeatureStore
from headstart.cache.verify import verify
from headstart.extract.images.dataset import read_dataset
from kills import SPEC
from pictures import paint

MONKEYS = Path(__file__).parents[3] / "shared" / "data" / "monkeys10"
AT_ONCE = 8  # processes side by side: more than one, since they wait for disk and locks
EVENTS = ("decode", "infer", "write", "fsync", "rename", "unlink")


@pytest.fixture
def tmp_path(tmp_path):
    """Return a folder in memory, where there can be one: what a kill leaves is the same there.

    A killed process loses nothing that it wrote, synced or not, so that thousands of syncs of a
    disk would prove nothing more.
    """
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def fork():
    """Do jobs, eight side by side, each in a process of its own; return their exit statuses."""
    with subprocess.Popen(
        [sys.executable, (Path(__file__).parents[1] / "kills.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    ) as program:

        def ask(*jobs):
            program.stdin.writelines(
                json.dumps(jobs[start : start + AT_ONCE]) + "\n"
                for start in range(0, len(jobs), AT_ONCE)
            )
            program.stdin.flush()
            answers = (program.stdout.readline() for _ in range(0, len(jobs), AT_ONCE))
            return [status for line in answers for status in json.loads(line)]

        yield ask
        program.stdin.close()


def read_log(place):
    """Return what a job told, as (what, value) pairs."""
    return [tuple(line.split()) for line in (place / "log").read_text().splitlines()]


def job(place, paths, **options):
    place.mkdir(exist_ok=True)
    return {
        "do": "extract",
        "cache": str(place / "cache"),
        "stat_index": str(place / "stat.sqlite"),
        "log": str(place / "log"),
        "paths": [str(path) for path in paths],
        "segment_rows": 16,
        "batch_size": 2,
        "workers": 2,
        **options,
    }


def moments(log, each, seed):
    """Draw ``each`` moments of every kind of event that a whole run had."""
    counts = Counter(what for what, _ in log)
    draw = random.Random(seed)
    return [
        [kind, number]
        for kind in EVENTS
        if counts[kind]
        for number in sorted(draw.sample(range(1, counts[kind] + 1), min(each, counts[kind])))
    ]


def kill_and_go_on(fork, tmp_path, paths, each, **options):
    """Kill an extraction at many moments; after each, look, go on and compare with a whole one."""
    whole = tmp_path / "whole"
    assert fork(job(whole, paths, kill_at=["never", 1], **options)) == [0]
    reference = FeatureStore(whole / "cache", SPEC)
    digests = sorted(reference.digests())
    assert len(digests) == len({path.read_bytes() for path in paths})
    values = reference.read(digests)
    segment_rows = options.get("segment_rows", 16)
    chosen = moments(read_log(whole), each, seed=7)
    places = [tmp_path / "-".join(map(str, moment)) for moment in chosen]
    doing = [job(place, paths, **options) for place in places]
    killed = fork(*({**d, "kill_at": m} for d, m in zip(doing, chosen, strict=True)))
    assert killed == [-signal.SIGKILL] * len(chosen)
    left = [(verify(place / "cache"), read_log(place)) for place in places]
    assert fork(*doing) == [0] * len(chosen)
    for moment, place, (found, log) in zip(chosen, places, left, strict=True):
        assert not found.problems, moment
        committed = sum(int(value) for what, value in log if what == "committed")
        assert found.rows >= committed, moment

        store = FeatureStore(place / "cache", SPEC)
        assert sorted(store.digests()) == digests, moment
        np.testing.assert_array_equal(store.read(digests), values, err_msg=str(moment))
        assert not list(store.folder.glob(".*")), "a temporary file is left"
        computed = sum(what == "computed" for what, _ in read_log(place))
        assert computed - len(digests) <= segment_rows, (moment, "redone: more than a segment")
    return chosen


def paint_some(tmp_path, count):
    return [paint(tmp_path / "red" / f"{n}.png", (200, 50, 40), n, (8, 9)) for n in range(count)]


def test_an_extraction_killed_at_30_moments_loses_nothing_and_ends_the_same(fork, tmp_path):
    chosen = kill_and_go_on(fork, tmp_path, paint_some(tmp_path, 60), each=6)
    assert len(chosen) >= 25
    assert {kind for kind, _ in chosen} == {"decode", "infer", "write", "fsync", "rename"}


def test_one_that_writes_its_index_and_merges_its_segments_loses_nothing_either(fork, tmp_path):
    small = {"tail_segments": 2, "index_fan": 2, "fan": 3}
    options = {"segment_rows": 4, "batch_size": 1, "workers": 1, **small}
    chosen = kill_and_go_on(fork, tmp_path, paint_some(tmp_path, 60), each=8, **options)
    assert len(chosen) >= 30
    assert {kind for kind, _ in chosen} == set(EVENTS)


@pytest.mark.slow
@pytest.mark.skipif(not MONKEYS.is_dir(), reason="../shared/data/monkeys10 is absent")
def test_an_extraction_of_1368_photographs_killed_at_30_moments_ends_the_same(fork, tmp_path):
    paths = [image.path for image in read_dataset(MONKEYS).images]
    assert len(paths) >= 1368
    options = {"segment_rows": 256, "batch_size": 16}
    chosen = kill_and_go_on(fork, tmp_path, paths, each=6, **options)
    assert len(chosen) >= 30


@pytest.fixture
def littered(tmp_path):
    """A cache of eight small segments that repeat one another's rows."""
    rows = np.arange(20 * 16, dtype=np.float32).reshape(20, 16)
    digests = [bytes([n]) * 32 for n in range(20)]
    for start in range(8):
        part = slice(2 * start, 2 * start + 6)
        FeatureStore(tmp_path / "littered", SPEC).append(digests[part], rows[part])
    return tmp_path / "littered", digests, rows


@pytest.mark.parametrize("merged_bytes", [128 << 20, 5 * 64])
def test_a_compaction_killed_at_every_moment_loses_no_row(fork, tmp_path, littered, merged_bytes):
    cache, digests, rows = littered

    def compaction(name, **options):
        place = tmp_path / name
        shutil.copytree(cache, place / "cache")
        doing = {"do": "compact", "cache": str(place / "cache"), "log": str(place / "log")}
        return place, {**doing, "merged_bytes": merged_bytes, **options}

    whole, doing = compaction("whole", kill_at=["never", 1])
    assert fork(doing) == [0]
    assert verify(whole / "cache").rows == 20
    every = moments(read_log(whole), each=1000, seed=0)
    assert len(every) >= 11, "a write, fsyncs, a rename, eight unlinks"
    places, doing = zip(*(compaction("-".join(map(str, m)), kill_at=m) for m in every), strict=True)
    assert fork(*doing) == [-signal.SIGKILL] * len(every)
    for moment, place in zip(every, places, strict=True):
        assert not verify(place / "cache").problems, moment
        store = FeatureStore(place / "cache", SPEC)
        np.testing.assert_array_equal(store.read(digests), rows, err_msg=str(moment))
    assert fork(*({**again, "kill_at": None} for again in doing)) == [0] * len(every)
    for place in places:
        assert verify(place / "cache").rows == 20, "no row twice"
        np.testing.assert_array_equal(FeatureStore(place / "cache", SPEC).read(digests), rows)


def test_four_extractions_and_a_compaction_at_once_compute_each_image_once(fork, tmp_path):
    paths = [paint(tmp_path / "red" / f"{n}.png", (200, 50, 40), n, (8, 9)) for n in range(150)]
    place = tmp_path / "shared"
    done = [str(tmp_path / f"done-{n}") for n in range(4)]
    small = {"tail_segments": 2, "index_fan": 2, "fan": 3}
    doing = job(place, paths, segment_rows=8, batch_size=1, workers=1, **small)
    compacting = {**doing, "do": "compact_meanwhile", "until": done, "merged_bytes": 4000}
    assert fork(*({**doing, "done": path} for path in done), compacting) == [0] * 5
    store = FeatureStore(place / "cache", SPEC)
    assert len(store) == 150
    computed = Counter(value for what, value in read_log(place) if what == "computed")
    assert len(computed) == 150
    assert max(computed.values()) == 1, "another process computed it too"
    assert not verify(place / "cache").problems

    assert fork({**compacting, "do": "compact"}) == [0]
    assert verify(place / "cache").rows == 150
    alone = tmp_path / "alone"
    assert fork(job(alone, paths)) == [0]
    digests = sorted(store.digests())
    np.testing.assert_array_equal(
        FeatureStore(place / "cache", SPEC).read(digests),
        FeatureStore(alone / "cache", SPEC).read(digests),
    )


def test_what_a_killed_process_had_claimed_is_free(fork, tmp_path):
    paths = [paint(tmp_path / "red" / f"{n}.png", (200, 50, 40), n, (8, 9)) for n in range(10)]
    doing = job(tmp_path / "one", paths)
    assert fork({**doing, "kill_at": ["infer", 1]}, doing) == [-signal.SIGKILL, 0]
    assert len(FeatureStore(tmp_path / "one" / "cache", SPEC)) == 10
