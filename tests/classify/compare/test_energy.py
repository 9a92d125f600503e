"""Energy: counters that wrap, that may not be read, that are not there."""

import sys
import types

import pytest

from headstart.classify.compare import energy
from headstart.classify.compare.cost import measured
from headstart.classify.compare.energy import EnergyCounter, Meter, find_meters


@pytest.fixture
def powercap(tmp_path, monkeypatch):
    """Two packages and a part of one, as Linux shows them."""
    for name, joules in (("intel-rapl:0", 10), ("intel-rapl:1", 20), ("intel-rapl:0:0", 5)):
        zone = tmp_path / name
        zone.mkdir()
        (zone / "energy_uj").write_text(f"{joules * 1_000_000}\n")
        (zone / "max_energy_range_uj").write_text("100000000\n")
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    monkeypatch.setattr(energy, "_nvml", list)
    return tmp_path


def test_packages_are_added_up_and_their_parts_are_not_counted_twice(powercap):
    assert [meter.read() for meter in find_meters()] == [10.0, 20.0]


def test_a_counter_that_starts_again_is_followed(powercap):
    counter = EnergyCounter(find_meters())
    counter.start()
    (powercap / "intel-rapl:0" / "energy_uj").write_text("95000000")
    counter.look()
    (powercap / "intel-rapl:0" / "energy_uj").write_text("3000000")
    assert counter.stop() == pytest.approx(85 + 8)


def test_a_counter_that_may_not_be_read_is_left_out(powercap):
    (powercap / "intel-rapl:0" / "max_energy_range_uj").unlink()
    assert len(find_meters()) == 1


def test_a_machine_without_counters_tells_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(energy, "POWERCAP", tmp_path / "none")
    monkeypatch.setattr(energy, "_nvml", list)
    with measured() as cost:
        pass
    assert cost.energy_joules is None


def test_gpus_that_count_are_read_in_joules(monkeypatch):
    gpu = types.SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda i: i,
        nvmlDeviceGetTotalEnergyConsumption=lambda i: 1000 * (i + 1),
    )
    monkeypatch.setitem(sys.modules, "pynvml", gpu)
    assert [meter.read() for meter in energy._nvml()] == [1.0, 2.0]

    def refuse(handle):
        raise RuntimeError("Not Supported")

    gpu.nvmlDeviceGetTotalEnergyConsumption = refuse
    assert energy._nvml() == []


def test_a_block_is_charged_for_its_own_energy_and_processor_time(monkeypatch):
    joules = iter([100.0, 130.0])
    monkeypatch.setattr(
        "headstart.classify.compare.cost.find_meters", lambda: [Meter(lambda: next(joules))]
    )
    with measured() as cost:
        sum(range(3_000_000))
    assert cost.energy_joules == 30.0
    assert 0 < cost.cpu_seconds < 5
