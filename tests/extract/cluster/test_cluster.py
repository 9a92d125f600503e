"""Dask and Ray for real: the same cache as one process makes, whoever dies on the way."""

import importlib
import itertools
import os
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mortal
from fakes import FakeEngine, bringing
from headstart.cache import statindex
from headstart.cache.compact import compact
from headstart.cache.verify import verify
from headstart.classify.predict.blocks import label_images
from headstart.classify.predict.model_source import source_of
from headstart.classify.saved.load import load_model
from headstart.errors import CacheError, DataError, OptionError
from headstart.extract.cluster import on_dask
from headstart.extract.cluster.tasks import LARGEST, SMALLEST, cut, shard_size
from headstart.extract.cluster.worker import SeldomLooking
from headstart.extract.failures import check_failures
from headstart.extract.features import ensure_features
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source

MONKEYS = Path(__file__).parents[4] / "shared" / "data" / "monkeys10"
MODULES = {"dask": "distributed", "ray": "ray"}


def need(backend):
    """Skip a test where its engine is not installed, and say how it would be."""
    hint = f"pip install 'headstart[{backend}]'"
    if importlib.util.find_spec(MODULES[backend]) is None:
        pytest.skip(f"--backend {backend} is not installed: {hint}")


@pytest.fixture(autouse=True)
def _importable_by_workers(monkeypatch):
    """Let Ray's workers, which are programs of their own, find these modules."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))


def extract_with(cache, paths, backend="local", engine=FakeEngine, **options):
    """Extract; return the source, the extraction and the warnings."""
    options = {"batch_size": 2, "workers": 2, "shard_size": 5, **options}
    source = feature_source(execution=Execution(cache=cache, backend=backend, **options))
    source = bringing(source, engine)
    return source, *ensure_features(paths, source, source.store())


def values(source, extraction):
    digests = [digest for digest in extraction.digests if digest is not None]
    return source.store().read(digests)


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_shard_of_a_dead_worker_is_done_by_another_and_one_that_always_kills_is_named(
    backend, photographs, tmp_path, capfd
):
    need(backend)
    torn = photographs / "red" / "torn.jpg"
    torn.write_bytes(b"\xff\xd8\xff")
    mortal.dark(photographs / "blue" / "11.png")
    paths = [image.path for image in read_dataset(photographs).images]
    reference = extract_with(tmp_path / "local" / "cache", paths)
    place = tmp_path / backend
    place.mkdir()
    source, extraction, warnings = extract_with(place / "cache", paths, backend, mortal.Mortal)

    assert (place / "died").exists(), "no worker was killed in the middle"
    poisoned = next(shard for shard in cut(paths, 5) if photographs / "blue" / "11.png" in shard)
    reasons = {failure.path: failure.reason for failure in extraction.failures}
    assert set(reasons) == {torn, *poisoned}
    number = cut(paths, 5).index(poisoned) + 1
    named = f"shard {number} failed 3 times: the worker process died each time"
    assert {reasons[path] for path in poisoned} == {named}
    assert reasons[torn] == reference[1].failures[0].reason
    assert warnings == [f"{named} (5 images)"]
    assert extraction.extracted == 26

    whole = dict(zip(paths, reference[1].digests, strict=True))
    for path, digest in zip(paths, extraction.digests, strict=True):
        assert digest == (None if path in poisoned else whole[path])
    held = [digest for digest in extraction.digests if digest is not None]
    np.testing.assert_array_equal(values(source, extraction), reference[0].store().read(held))

    compact(place / "cache")
    assert not verify(place / "cache").problems
    # The poisoned shard's other images may have been committed before it died.
    assert 26 <= len(source.store()) == verify(place / "cache").rows <= 30
    computed = len((place / "computed").read_bytes().splitlines())
    assert computed <= 26 + 5 + 3 * 5, "more was redone than what was in flight"
    with pytest.raises(DataError, match="6 of 32 images failed, --max-failures allows 5"):
        check_failures(extraction.failures, len(paths), "5")
    assert capfd.readouterr() == ("", ""), "an engine wrote to the terminal"


def test_dask_extracts_what_one_process_does_and_a_second_run_starts_no_worker(
    photographs, tmp_path, monkeypatch
):
    need("dask")
    copy = photographs / "green" / "copy.png"
    copy.write_bytes((photographs / "blue" / "0.png").read_bytes())
    (photographs / "red" / "empty.jpg").write_bytes(b"")
    paths = [image.path for image in read_dataset(photographs).images]
    alone, expected, _ = extract_with(tmp_path / "alone", paths)
    source, extraction, _ = extract_with(tmp_path / "dask", paths, "dask")
    assert extraction.digests == expected.digests
    assert extraction.ledger == expected.ledger
    assert (extraction.extracted, extraction.reused, extraction.duplicates) == (30, 0, 1)
    assert (extraction.engine, extraction.device) == ("fake", "cpu")
    assert 0 < extraction.startup_seconds < extraction.seconds
    np.testing.assert_array_equal(values(source, extraction), values(alone, expected))

    paths.remove(photographs / "red" / "empty.jpg")
    monkeypatch.setattr(statindex, "FINE_TICK_NS", -(10**12))
    extract_with(tmp_path / "alone", paths)  # reads once more, and remembers
    monkeypatch.setattr(on_dask, "workers", None)
    _, again, _ = extract_with(tmp_path / "dask", paths, "dask")
    assert (again.extracted, again.reused) == (0, 30)


def test_a_running_scheduler_is_used_and_left_running(photographs, tmp_path, capfd):
    need("dask")
    import distributed

    paths = [image.path for image in read_dataset(photographs).images]
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        _, extraction, _ = extract_with(
            tmp_path / "first", paths, "dask", address=address, workers=None
        )
        assert extraction.extracted == 30
        (tmp_path / "second").mkdir()
        mortal.dark(photographs / "blue" / "dark.png")
        paths = [image.path for image in read_dataset(photographs).images]
        _, extraction, warnings = extract_with(
            tmp_path / "second" / "cache", paths, "dask", mortal.Refusing, address=address
        )
        assert "failed 3 times: the disk is full" in warnings[0]
        assert len((tmp_path / "second" / "refused").read_bytes().splitlines()) == 3
        assert extraction.extracted == 26
        with pytest.raises(CacheError, match="no such weights"):
            extract_with(tmp_path / "third", paths, "dask", mortal.Unloadable, address=address)


def test_workers_that_share_no_cache_with_us_are_told(photographs, tmp_path):
    need("dask")
    paths = [image.path for image in read_dataset(photographs).images]
    source = bringing(
        feature_source(execution=Execution(cache=tmp_path / "theirs", backend="dask"))
    )
    ours = replace(source, cache=tmp_path / "ours").store()
    with pytest.raises(CacheError, match=r"committed 30 images that .*ours.* does not show here"):
        ensure_features(paths, source, ours)


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_missing_engine_names_its_pip_command(backend, headstart, photographs, monkeypatch):
    monkeypatch.setitem(sys.modules, MODULES[backend], None)
    status, _, err = headstart("extract", "features", photographs, "--backend", backend)
    assert status == 1
    assert f"pip install 'headstart[{backend}]'" in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("backend", "address", "told"),
    [
        ("dask", "tcp://127.0.0.1:9", "no Dask cluster with workers at tcp://127.0.0.1:9"),
        ("ray", "127.0.0.1:9", "no Ray cluster at 127.0.0.1:9"),
        ("ray", "ray://127.0.0.1:9", "no Ray cluster at ray://127.0.0.1:9"),
    ],
)
def test_an_address_where_nobody_answers_is_told_in_one_line(
    backend, address, told, photographs, tmp_path, monkeypatch
):
    need(backend)
    monkeypatch.setattr(on_dask, "CONNECT_SECONDS", 0.3)
    with pytest.raises(OptionError, match=re.escape(told)):
        extract_with(tmp_path, [photographs / "red" / "1.jpg"], backend, address=address)


def test_a_wrong_backend_and_an_address_without_one_are_told(headstart, photographs):
    status, _, err = headstart("extract", "features", photographs, "--backend", "spark")
    assert status == 1
    assert "unknown backend 'spark'; valid: local, dask, ray" in err
    status, _, err = headstart("extract", "features", photographs, "--address", "tcp://x:1")
    assert status == 1
    assert "--address is a cluster's: add --backend dask or --backend ray" in err


@pytest.mark.slow
@pytest.mark.skipif(not MONKEYS.is_dir(), reason="../shared/data/monkeys10 is absent")
@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_photographs_extracted_by_workers_one_of_which_is_killed_are_all_there_bit_for_bit(
    backend, tmp_path
):
    need(backend)
    paths = [image.path for image in read_dataset(MONKEYS).images]
    alone = feature_source(execution=Execution(cache=tmp_path / "alone"))
    expected, _ = ensure_features(paths, alone, alone.store())
    place = tmp_path / backend
    shutil.copytree(tmp_path / "alone" / "networks", place / "cache" / "networks")
    source = feature_source(execution=Execution(cache=place / "cache", backend=backend))
    source = bringing(source, mortal.mortal_network)
    extraction, warnings = ensure_features(paths, source, source.store())
    assert (place / "died").exists(), "no worker was killed in the middle"
    assert not warnings
    assert extraction.digests == expected.digests
    assert extraction.extracted == len(set(expected.digests))
    theirs, ours = values(source, extraction), values(alone, expected)
    np.testing.assert_allclose(theirs, ours, atol=1e-5 * ours.max())  # other batches, other threads
    compact(place / "cache")
    found = verify(place / "cache")
    assert not found.problems
    assert found.rows == len(set(expected.digests)), "a row is there twice"


@given(images=st.integers(1, 10**9), workers=st.integers(1, 10**4))
def test_shards_are_at_most_thousands_and_enough_that_workers_end_together(images, workers):
    size = shard_size(images, workers)
    assert SMALLEST <= size <= LARGEST
    assert size in (SMALLEST, LARGEST) or -(-images // size) <= 4 * workers
    assert size == SMALLEST or -(-images // size) >= 2 * workers


@given(items=st.lists(st.integers(), max_size=100), size=st.integers(1, 20))
def test_shards_hold_every_image_once_and_in_order(items, size):
    shards = cut(items, size)
    assert [item for shard in shards for item in shard] == items
    assert all(len(shard) == size for shard in shards[:-1])


def test_a_worker_whose_looks_are_slow_looks_seldom_but_always_between_shards(tmp_path):
    source = feature_source(execution=Execution(cache=tmp_path))
    seconds = itertools.count(0.0, 2.0)  # each look at the clock is two seconds on: looking is slow
    store = SeldomLooking(source.cache, source.spec, clock=lambda: next(seconds))
    other = source.store()
    other.append([b"a" * 32], np.ones((1, 3), np.float32))
    store.refresh()
    assert b"a" * 32 not in store
    store.refresh_now()
    assert b"a" * 32 in store


def test_a_saved_model_labels_through_a_clusters_workers(photographs, tmp_path, headstart):
    need("dask")
    saved = tmp_path / "m.headstart"
    assert headstart("fit", "head", photographs, "--model", "ridge", "--out", saved)[0] == 0
    alone = Execution(cache=tmp_path / "alone")
    spread = replace(alone, cache=tmp_path / "cache", backend="dask", workers=2)
    model, paths = load_model(saved), [image.path for image in read_dataset(photographs).images]
    (block,) = label_images(model, bringing(source_of(model, spread)), paths)
    assert len(block.positions) == 30
    assert not block.failures
    (ours,) = label_images(model, source_of(model, alone), paths)
    np.testing.assert_allclose(block.probabilities, ours.probabilities, atol=1e-6)


def test_a_network_that_keeps_no_features_labels_on_this_machine_alone(tmp_path):
    source = feature_source(execution=Execution(cache=tmp_path, backend="dask"))

    class Network:
        keeps_features = False

    with pytest.raises(OptionError, match="keeps nothing there: it labels on this machine"):
        next(label_images(Network(), source, [tmp_path / "x.jpg"]))
