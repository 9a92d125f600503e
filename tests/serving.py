"""A real ``headstart serve`` in a process of its own, with a fake engine that can be held."""

import contextlib
import os
import subprocess
import sys

LARGEST = 200_000  # --max-bytes of the service that tests share

# Mean colour of each quarter, as FakeEngine of fakes.py; whoever opens HELD_BY lets a call go.
COMMAND = """
import os, sys
import numpy as np
from headstart import cli
from headstart.extract.engine.open_engine import MAKERS
class Engine:
    name, device, notes, widths = "fake", "cpu", (), (12,)
    calls = 0
    def __init__(self, source): pass
    def __call__(self, images):
        Engine.calls += 1
        if "HELD_BY" in os.environ and Engine.calls > 1:
            sys.stderr.write("held\\n")
            sys.stderr.flush()
            open(os.environ["HELD_BY"]).close()
        half = images.shape[1] // 2
        quarters = [images[:, y : y + half, x : x + half] for y in (0, half) for x in (0, half)]
        return np.concatenate([q.mean(axis=(1, 2)) for q in quarters], axis=1, dtype=np.float32)
MAKERS.update(dict.fromkeys(MAKERS, Engine))
sys.argv = ["headstart", *sys.argv[1:]]
cli.main()
"""


class Served:
    """A service: its process and its address."""

    def __init__(self, process):
        self.process = process
        self.said = []
        self.url = process.stdout.readline().strip()
        assert self.url, process.stderr.read()
        host, _, port = self.url.removeprefix("http://").strip("/").rpartition(":")
        self.address = (host, int(port))

    def wait_for(self, words):
        """Read what it says until it says this."""
        for line in self.process.stderr:
            self.said.append(line.strip())
            if words in line:
                return
        raise AssertionError(f"{words!r} was never said: {self.said}")

    def ending(self):
        """Wait for its end; return its status and its last line."""
        self.said += self.process.stderr.read().splitlines()
        return self.process.wait(), self.said[-1]


def serving(model, *arguments, cache, **environment):
    """Yield a service on a free port."""
    engine = ("--engine", "onnxruntime")  # auto would time the engines first
    return started(
        "serve", str(model), "--port", "0", *engine, *arguments, cache=cache, **environment
    )


@contextlib.contextmanager
def started(*arguments, cache, **environment):
    """Yield a command that serves, its address read."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        env={**os.environ, "HEADSTART_CACHE": str(cache), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Served(process)
    finally:
        process.kill()
        process.communicate()
