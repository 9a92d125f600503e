"""The coordinator over very many images: a few blocks are known at a time, the sums are right."""

import contextlib
import shutil

import pytest

from fakes import bringing
from headstart.extract import feature_run
from headstart.extract.cluster import coordinate
from headstart.extract.feature_run import extract_photographs
from headstart.extract.photographs import list_photographs
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source

STEP = 7


class Inline:
    """Two workers in this process; the last shard that was given ends first."""

    def __init__(self, dies_at=()):
        self.waiting, self.dies_at, self.given = [], {*dies_at}, 0

    def places(self):
        return [0, 1]

    def submit(self, place, work):
        self.given += place is None
        handle = object()
        dies = place is None and self.given in self.dies_at
        self.waiting.append((handle, coordinate.WorkerDiedError("died") if dies else work()))
        return handle

    def wait_for_one(self, seconds):
        return self.waiting.pop() if self.waiting else None


@pytest.fixture
def repeated(photographs):
    """36 photographs of which the last repeat the first, and one that cannot be read."""
    for number, path in enumerate(sorted((photographs / "blue").iterdir())[:5]):
        shutil.copy(path, photographs / "red" / f"z{number}{path.suffix}")
    (photographs / "red" / "zz.jpg").write_bytes(b"\xff\xd8\xff")
    return photographs


@pytest.fixture
def extract(repeated, tmp_path, monkeypatch):
    """Extract all by a backend in blocks of seven; return what became of them."""
    monkeypatch.setattr(feature_run, "BLOCK", STEP)

    def go(backend, workers=None, **options):
        execution = Execution(cache=tmp_path / backend, backend=backend, shard_size=3, **options)
        started = contextlib.nullcontext(workers)
        monkeypatch.setattr(coordinate, "open_workers", lambda *_: started)
        found = extract_photographs(
            list_photographs(repeated), bringing(feature_source(execution=execution))
        ).extraction
        return found.extracted, found.reused, found.duplicates, [*map(str, found.failures)]

    return go


def test_blocks_side_by_side_add_up_to_what_one_process_counts(extract, heard):
    expected = extract("local")
    assert expected[:3] == (30, 0, 5)
    assert extract("dask", Inline()) == expected
    assert heard.progress[-1] == (36, 36)


def test_a_shard_whose_worker_died_is_done_again_at_the_end(extract):
    assert extract("dask", Inline(dies_at=[2])) == extract("local")
    *_, failures = extract("ray", Inline(dies_at=range(1000)))
    assert len(failures) == 36
    assert failures[0].endswith("failed 3 times: died")


def test_what_is_cached_starts_no_worker(extract, monkeypatch):
    from headstart.cache import statindex

    monkeypatch.setattr(statindex, "FINE_TICK_NS", -(10**12))
    (*_, failures) = extract("dask", Inline())
    assert len(failures) == 1
    again = Inline()
    assert extract("dask", again)[:3] == (0, 30, 5)
    assert again.given == 1, "the one that cannot be read is tried again"


def test_no_more_blocks_are_known_than_workers_need(extract, monkeypatch):
    known, most = set(), []

    class Watched(coordinate.Block):
        def __init__(self, *parts):
            super().__init__(*parts)
            known.add(self)
            most.append(len(known))

        def extraction(self):
            known.discard(self)
            return super().extraction()

    monkeypatch.setattr(coordinate, "Block", Watched)
    extract("dask", Inline())
    assert len(most) == 6
    assert max(most) <= 3, "two workers, three shards a block"
