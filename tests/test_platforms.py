"""On a system without POSIX's locks and signals the main job runs all the same."""

import subprocess
import sys
from pathlib import Path

from pictures import paint_photographs

# What these libraries ask the platform, they have asked before it is pretended.
ELSEWHERE = """
import asyncio, ctypes, logging.handlers, multiprocessing, signal, socket, sqlite3, subprocess, sys
import h5py, joblib, jinja2, numpy, PIL.Image, platformdirs, psutil, rich.progress, simplejpeg
import scipy.optimize, scipy.stats, sklearn.calibration, sklearn.linear_model, sklearn.model_selection, skops.io, typer
import pytest

multiprocessing.set_start_method("spawn", force=True)  # macOS and Windows have nothing else
assert not [name for name in sys.modules if name.startswith("headstart")]
sys.modules["fcntl"] = None
sys.platform = "win32"
for name in ("SIGHUP", "SIGKILL"):
    delattr(signal, name)
"""
JOB = """
import fakes
from headstart import cli
with fakes.engines_made_by(fakes.FakeEngine):
    for line in sys.argv[1].splitlines():
        sys.argv = ["headstart", *line.split()]
        try:
            cli.main()
        except SystemExit as ended:
            assert not ended.code, line
"""


def test_the_main_job_runs_without_fcntl_and_sighup(tmp_path):
    paint_photographs(tmp_path / "photographs")
    lines = (
        "extract features photographs --cache cache\n"
        "fit head photographs --cache cache --out m.headstart\n"
        "predict m.headstart photographs/red --cache cache --sort-into sorted --copy\n"
        "cache verify --cache cache"
    )
    told = subprocess.run(
        [sys.executable, "-c", f"{ELSEWHERE}{JOB}", lines],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parent), "HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert "30 images: 30 extracted" in told.stdout
    assert "segments with 30 rows are as they were written" in told.stdout
