"""Energy from the machine's own counters: RAPL for processors, NVML for NVIDIA's GPUs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
LOOK_EVERY = 20.0  # seconds; RAPL's counters start again after some 60 to 260 kJ: minutes


@dataclass(frozen=True, slots=True)
class Meter:
    """One counter.

    Parameters
    ----------
    read : callable
        Returns the joules counted so far.
    wraps_at : float
        Joules after which it starts again at 0.
    """

    read: Callable[[], float]
    wraps_at: float = float("inf")


def find_meters() -> list[Meter]:
    """Return the counters that this process may read; none is an empty list.

    A processor's package holds its cores and caches; memory and disks are not
    counted. Other processes on the machine are.
    """
    return [*_rapl(), *_nvml()]


class EnergyCounter:
    """Adds up what the meters count between start and stop.

    Parameters
    ----------
    meters : list of Meter
        From :func:`find_meters`.
    """

    def __init__(self, meters: list[Meter]) -> None:
        self._meters = meters
        self._last: list[float] = []
        self._joules = 0.0
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._look_now_and_then, daemon=True)

    def start(self) -> None:
        """Begin to count."""
        if self._meters:
            self._last = [meter.read() for meter in self._meters]
            self._watch.start()

    def stop(self) -> float | None:
        """Return the joules since the start; None where no meter can be read."""
        if not self._meters:
            return None
        self._ended.set()
        self._watch.join()
        self.look()
        return self._joules

    def look(self) -> None:
        """Take in what the meters say now."""
        now = [meter.read() for meter in self._meters]
        for meter, before, after in zip(self._meters, self._last, now, strict=True):
            self._joules += after - before if after >= before else after - before + meter.wraps_at
        self._last = now

    def _look_now_and_then(self) -> None:
        while not self._ended.wait(LOOK_EVERY):
            self.look()


def _rapl() -> list[Meter]:
    """Linux's powercap, microjoules; the files are readable by root alone on most machines."""
    meters = []
    for zone in sorted(POWERCAP.glob("intel-rapl:*")):
        counter = zone / "energy_uj"
        if zone.name.count(":") > 1:  # a part of a package, counted within it
            continue
        try:
            counter.read_text()
            wraps_at = int((zone / "max_energy_range_uj").read_text()) / 1e6
        except OSError:
            continue
        meters.append(Meter(_microjoules(counter), wraps_at))
    return meters


def _microjoules(counter: Path) -> Callable[[], float]:
    return lambda: int(counter.read_text()) / 1e6


def _nvml() -> list[Meter]:
    try:
        import pynvml

        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        for handle in handles:
            pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except Exception:  # no package, no driver, or a GPU older than Volta, which does not count
        return []
    return [Meter(_millijoules(handle)) for handle in handles]


def _millijoules(handle: object) -> Callable[[], float]:
    import pynvml

    return lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3
