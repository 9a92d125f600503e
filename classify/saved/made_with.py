"""What a result was made with: versions and machine."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

PACKAGES = (
    *("tensorflow", "keras", "scikit-learn", "numpy", "scipy", "onnxruntime", "pillow"),
    "cleanlab",
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that move numbers."""
    installed = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # installed under another name, as tensorflow-cpu
            continue
    return installed


def describe_machine() -> dict[str, Any]:
    """Return system, processor, cores that this process may use, and memory."""
    import psutil

    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": len(psutil.Process().cpu_affinity())
        if hasattr(psutil.Process, "cpu_affinity")
        else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
