"""The guard that the main job runs under (see test_main_job.py) does stop what it should."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

OFFLINE = Path(__file__).with_name("offline")


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import socket; socket.getaddrinfo('example.org', 443)",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')",
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
    ],
)
def test_the_guard_ends_a_program_that_is_about_to_use_a_network(code):
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(OFFLINE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 97
    assert done.stderr.startswith("network: socket.")
