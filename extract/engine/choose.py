"""Which engine runs, with how many threads and images a batch: decided before anything loads."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path

from ...errors import OptionError, unknown
from ..backbone.backbone import Backbone

PRECISIONS = ("float32", "bfloat16", "float16")
ENGINES = ("auto", "tensorflow", "onnxruntime")

# Images a call at which each is quickest, measured with MobileNet on two cores; a GPU's is larger
# by rule of thumb alone.
BATCH = {("onnxruntime", "cpu"): 4, ("tensorflow", "cpu"): 32, ("tensorflow", "gpu"): 128}
MEMORY_SHARE = 0.5  # of what is free

# What a GPU's driver shows; asking TensorFlow would cost its import.
_GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to compute with.

    Parameters
    ----------
    cores : int
        That this process may use.
    free_memory : int
        Bytes of memory that can be had, on the device that runs the backbone.
    gpu : bool
        Whether a GPU's driver is there.
    bfloat16 : bool
        Whether the processor multiplies bfloat16 numbers.
    onnxruntime : bool
        Whether ONNX Runtime and its converter are installed.
    """

    cores: int
    free_memory: int
    gpu: bool
    bfloat16: bool
    onnxruntime: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """How features will be computed.

    Parameters
    ----------
    engine : str
        ``"tensorflow"`` or ``"onnxruntime"``.
    device : str
        ``"cpu"`` or ``"gpu"``.
    precision : str
        As asked for.
    batch_size : int
        Images a call.
    workers : int
        Threads that read, decode and call the engine.
    """

    engine: str
    device: str
    precision: str
    batch_size: int
    workers: int


def choose(
    machine: Machine,
    image_bytes: int,
    engine: str = "auto",
    precision: str = "float32",
    batch_size: int | None = None,
    workers: int | None = None,
) -> Plan:
    """Choose what was left open.

    Float32 on a CPU is ONNX Runtime's where it is installed; a GPU and reduced
    precision are TensorFlow's. Batches shrink before workers do when memory
    is short.

    Parameters
    ----------
    machine : Machine
        From :func:`this_machine`.
    image_bytes : int
        What one image's activations take in the network at their largest.
    engine : str
        ``"auto"``, ``"tensorflow"`` or ``"onnxruntime"``.
    precision : str
        ``"float32"``, ``"bfloat16"`` or ``"float16"``.
    batch_size, workers : int, optional
        Taken as given.

    Raises
    ------
    OptionError
        If this machine or that engine cannot do what was asked.

    Examples
    --------
    >>> machine = Machine(8, 16 << 30, gpu=False, bfloat16=False, onnxruntime=True)
    >>> choose(machine, image_bytes=10 << 20)
    Plan(engine='onnxruntime', device='cpu', precision='float32', batch_size=4, workers=8)
    """
    if engine not in ENGINES:
        raise unknown("engine", engine, list(ENGINES))
    _check_precision(machine, engine, precision)
    if engine == "onnxruntime" and not machine.onnxruntime:
        raise OptionError("--engine onnxruntime is not installed: pip install onnxruntime tf2onnx")
    if engine == "auto":
        quick = machine.onnxruntime and precision == "float32" and not machine.gpu
        engine = "onnxruntime" if quick else "tensorflow"
    device = "gpu" if machine.gpu and engine == "tensorflow" else "cpu"
    share = max(1, math.floor(MEMORY_SHARE * machine.free_memory / max(image_bytes, 1)))
    threads = workers or machine.cores
    calls = threads if engine == "onnxruntime" else 1  # at once
    batch = batch_size or min(BATCH[engine, device], max(1, share // calls))
    if workers is None and engine == "onnxruntime":
        threads = max(1, min(threads, share // batch))
    return Plan(engine, device, precision, batch, threads)


def engine_for(backbone: Backbone, engine: str, precision: str) -> str:
    """Return the engine that was asked for, or the only one that runs a backbone.

    Raises
    ------
    OptionError
        If the backbone cannot run as was asked.
    """
    if backbone.graph == "keras":
        return engine
    if engine == "tensorflow" or precision != "float32":
        raise OptionError(
            f"{backbone.name} is ONNX, which runs on ONNX Runtime in float32: leave --engine and "
            "--precision out"
        )
    return "onnxruntime"


def _check_precision(machine: Machine, engine: str, precision: str) -> None:
    if precision not in PRECISIONS:
        raise unknown("precision", precision, list(PRECISIONS))
    if precision != "float32" and engine == "onnxruntime":
        raise OptionError(
            f"--engine onnxruntime computes in float32 alone; --precision {precision} is "
            "TensorFlow's: leave --engine out"
        )
    if precision == "bfloat16" and not (machine.bfloat16 or machine.gpu):
        raise OptionError(
            "--precision bfloat16 needs a processor with AVX512_BF16 or AMX, this one shows "
            "neither: it would be slower and less exact than float32, leave it out"
        )
    if precision == "float16" and not machine.gpu:
        raise OptionError(
            "--precision float16 is for GPUs, none is here: leave it out, or take bfloat16 on a "
            "processor that has it"
        )


def this_machine() -> Machine:
    """Look at the machine, in milliseconds."""
    import joblib

    gpu = any(Path(device).exists() for device in _GPU_DEVICES)
    return Machine(
        cores=joblib.cpu_count(),  # heeds affinity and container limits
        free_memory=_gpu_memory() if gpu else free_memory(),
        gpu=gpu,
        bfloat16=not _BFLOAT16_FLAGS.isdisjoint(_cpu_flags()),
        onnxruntime=all(importlib.util.find_spec(name) for name in ("onnxruntime", "tf2onnx")),
    )


def _cpu_flags() -> list[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return next((line.split() for line in text.splitlines() if line.startswith("flags")), [])


def free_memory() -> int:
    """Return the bytes of memory that this process can have: the machine's or its container's."""
    import psutil

    free = int(psutil.virtual_memory().available)
    return min([free, *_cgroup_memory(Path("/sys/fs/cgroup"))])


def _cgroup_memory(folder: Path) -> list[int]:
    """Return what a container's limit leaves, where there is one (cgroup v2)."""
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return []
    return [max(0, int(limit) - used)] if limit.isdigit() else []


def _gpu_memory() -> int:
    """Return the free memory of the first GPU; a cautious 4 GiB where NVML cannot tell."""
    try:
        import pynvml

        pynvml.nvmlInit()
        return int(pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(0)).free)
    except Exception:  # no NVIDIA driver, no binding, a driver of another version
        return 4 << 30
