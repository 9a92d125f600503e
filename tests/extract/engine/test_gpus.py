"""Several GPUs: a process for each, every image once, one count. Devices are only names here."""

from dataclasses import replace

import numpy as np
import pytest

from fakes import FakeEngine, bringing
from headstart.errors import WeightsError
from headstart.extract.engine.gpus import VISIBLE, run_on_each, visible_gpus
from headstart.extract.features import ensure_features
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source


def note_device(folder, paths):
    """Write which device was seen and which paths came."""
    (folder / visible_gpus()[0]).write_text(" ".join(path.name for path in paths))


def refuse(_paths):
    raise WeightsError("no weights")


class GpuEngine(FakeEngine):
    device = "gpu"


def test_each_process_sees_its_own_device_and_every_nth_image(tmp_path):
    from functools import partial
    from pathlib import Path

    paths = [Path(name) for name in "abcde"]
    run_on_each(["3", "7"], partial(note_device, tmp_path), paths, lambda: None)
    assert (tmp_path / "3").read_text() == "a c e"
    assert (tmp_path / "7").read_text() == "b d"


def test_what_goes_wrong_in_a_process_is_told_here():
    with pytest.raises(WeightsError, match="no weights"):
        run_on_each(["0"], refuse, [], lambda: None)


def test_visible_devices_are_those_named(monkeypatch):
    monkeypatch.setenv(VISIBLE, "2, 5")
    assert visible_gpus() == ["2", "5"]
    monkeypatch.setenv(VISIBLE, "")
    assert visible_gpus() == []


def test_two_gpus_share_the_work_and_the_count_is_right(photographs, tmp_path, monkeypatch):
    monkeypatch.setenv(VISIBLE, "0,1")
    source = feature_source(execution=Execution(cache=tmp_path / "cache"))
    plan = replace(source.plan, engine="tensorflow", device="gpu")
    source = bringing(replace(source, plan=plan), GpuEngine)
    paths = [image.path for image in read_dataset(photographs).images]
    store = source.store()
    extraction, _ = ensure_features(paths, source, store)
    assert (extraction.extracted, extraction.reused, extraction.device) == (30, 0, "gpu")
    assert len(list(store.folder.glob("*.h5"))) == 2  # one segment a process
    one = replace(source, cache=tmp_path / "other", plan=replace(source.plan, device="cpu"))
    alone = one.store()
    digests = ensure_features(paths, one, alone)[0].digests
    np.testing.assert_array_equal(store.read(digests), alone.read(digests))
