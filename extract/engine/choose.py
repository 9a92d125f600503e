"""Which engine runs, with how many threads and images a batch: decided before anything loads."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path

from ...errors import OptionError, unknown
from ..backbone.backbone import Backbone

# Engine to the precisions that it computes in.
COMPUTES = {
    "tensorflow": ("float32", "bfloat16", "float16"),
    "onnxruntime": ("float32", "int8"),
    # It rounds a network in 8 bits elsewhere: MobileNet's features came out another by 5 %.
    "openvino": ("float32", "bfloat16"),
}
ENGINES = ("auto", *COMPUTES)
PRECISIONS = ("float32", "bfloat16", "float16", "int8")
PACKAGES = {"onnxruntime": "onnxruntime tf2onnx", "openvino": "openvino"}  # what pip calls them

# Images a call at which each is quickest, measured with MobileNet on two cores; a GPU's is larger
# by rule of thumb alone.
BATCH = {
    ("onnxruntime", "cpu"): 4,
    ("openvino", "cpu"): 4,
    ("tensorflow", "cpu"): 32,
    ("tensorflow", "gpu"): 128,
}
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
        Whether ONNX Runtime is installed.
    openvino : bool
        Whether OpenVINO, which runs the same networks, is installed.
    """

    cores: int
    free_memory: int
    gpu: bool
    bfloat16: bool
    onnxruntime: bool
    openvino: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """How features will be computed.

    Parameters
    ----------
    engine : str
        A row of :data:`COMPUTES`.
    device : str
        ``"cpu"`` or ``"gpu"``.
    precision : str
        As asked for.
    batch_size : int
        Images a call.
    workers : int
        Threads that read, decode and call the engine.
    rivals : tuple of str
        Engines that may take its place where they are faster, see :mod:`.quickest`.
    """

    engine: str
    device: str
    precision: str
    batch_size: int
    workers: int
    rivals: tuple[str, ...] = ()


def choose(
    machine: Machine,
    image_bytes: int,
    engine: str = "auto",
    precision: str = "float32",
    batch_size: int | None = None,
    workers: int | None = None,
) -> Plan:
    """Choose what was left open.

    On a CPU, float32 is ONNX Runtime's or OpenVINO's, whichever is faster, int8 is ONNX
    Runtime's and bfloat16 OpenVINO's; what is not installed, and a GPU, is TensorFlow's.
    Batches shrink before workers do when memory is short.

    Parameters
    ----------
    machine : Machine
        From :func:`this_machine`.
    image_bytes : int
        What one image's activations take in the network at their largest.
    engine : str
        ``"auto"`` or a row of :data:`COMPUTES`.
    precision : str
        One of :data:`PRECISIONS`.
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
    Plan(engine='onnxruntime', device='cpu', precision='float32', batch_size=4, workers=8, rivals=())
    """
    if engine not in ENGINES:
        raise unknown("engine", engine, list(ENGINES))
    _check_precision(machine, engine, precision)
    if not getattr(machine, engine, True):
        raise OptionError(f"--engine {engine} is not installed: pip install {PACKAGES[engine]}")
    able = [engine] if engine != "auto" else _able(machine, precision)
    engine, rivals = able[0], tuple(able[1:])
    device = "gpu" if machine.gpu and engine == "tensorflow" else "cpu"
    share = max(1, math.floor(MEMORY_SHARE * machine.free_memory / max(image_bytes, 1)))
    threads = workers or machine.cores
    calls = 1 if engine == "tensorflow" else threads  # at once
    batch = batch_size or min(BATCH[engine, device], max(1, share // calls))
    if workers is None and engine != "tensorflow":
        threads = max(1, min(threads, share // batch))
    return Plan(engine, device, precision, batch, threads, rivals)


def _able(machine: Machine, precision: str) -> list[str]:
    """Return the engines to choose among: TensorFlow's GPU, or what is there of the CPU's."""
    if machine.gpu and precision in COMPUTES["tensorflow"]:
        return ["tensorflow"]
    quick = [name for name in ("onnxruntime", "openvino") if getattr(machine, name)]
    return [name for name in quick if precision in COMPUTES[name]] or ["tensorflow"]


def check_engine(backbone: Backbone, engine: str, precision: str, machine: Machine) -> None:
    """Refuse what a backbone cannot run on.

    Raises
    ------
    OptionError
        If it is an ONNX file, which TensorFlow does not run.
    """
    if backbone.graph != "onnx":
        return
    able = [name for name in PACKAGES if precision in COMPUTES[name]]
    if engine == "tensorflow" or not able:
        raise OptionError(
            f"{backbone.name} is ONNX, which runs on ONNX Runtime in float32 or int8 and on "
            "OpenVINO in float32 or bfloat16: leave --engine and --precision out"
        )
    if not any(getattr(machine, name) for name in able):
        raise OptionError(
            f"--precision {precision} of {backbone.name}: pip install {PACKAGES[able[0]]}"
        )


def _check_precision(machine: Machine, engine: str, precision: str) -> None:
    if precision not in PRECISIONS:
        raise unknown("precision", precision, list(PRECISIONS))
    if precision not in COMPUTES.get(engine, PRECISIONS):
        able = " and ".join(name for name, kinds in COMPUTES.items() if precision in kinds)
        raise OptionError(
            f"--engine {engine} computes in {' and '.join(COMPUTES[engine])} alone; --precision "
            f"{precision} is for {able}: leave --engine out"
        )
    if precision == "int8" and not machine.onnxruntime:
        raise OptionError("--precision int8 needs ONNX Runtime: pip install onnxruntime tf2onnx")
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


def this_machine(*, gpus: bool = True) -> Machine:
    """Look at the machine, in milliseconds; without ``gpus`` as if it had none."""
    import joblib

    gpu = gpus and any(Path(device).exists() for device in _GPU_DEVICES)
    return Machine(
        cores=joblib.cpu_count(),  # heeds affinity and container limits
        free_memory=_gpu_memory() if gpu else free_memory(),
        gpu=gpu,
        bfloat16=not _BFLOAT16_FLAGS.isdisjoint(cpu_says("flags").split()),
        onnxruntime=_installed("onnxruntime"),
        openvino=_installed("openvino"),
    )


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def cpu_says(field: str) -> str:
    """Return what Linux says of the processor: its ``"model name"``, its ``"flags"``; else nothing."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    lines = (line.partition(":") for line in text.splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == field), "")


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
