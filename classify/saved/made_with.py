"""What a result was made with: versions and machine."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

from ...extract.engine.choose import cpu_says

PACKAGES = (
    *("tensorflow", "keras", "scikit-learn", "numpy", "scipy", "onnxruntime", "openvino", "pillow"),
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
        "processor": cpu_says("model name") or platform.processor() or platform.machine(),
        "cores": len(psutil.Process().cpu_affinity())
        if hasattr(psutil.Process, "cpu_affinity")
        else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
    }
