"""Extract, compact and be killed: the other side of ``test_kills.py`` and ``test_concurrency.py``.

Run as a program, it reads a job a line (JSON) and forks for each, so that a job costs no
start-up; the answer is a line that says how the process ended. A kill comes at the n-th event of
a kind: a decode, a call of the engine, a write (half of it done), an fsync, a rename, an unlink.
Events are counted, never timed.
"""

import builtins
import hashlib
import json
import os
import signal
import sys
import threading
import traceback
from collections import Counter
from pathlib import Path

import numpy as np
import psutil  # noqa: F401 - the cache imports it where a writer was killed
from PIL import Image

from headstart.cache import FeatureSpec, FeatureStore, StatIndex, compact, segment
from headstart.cache.index import index as index_module
from headstart.extract import one_run as run
from headstart.extract import pipeline
from headstart.extract.decode.proof import prove_decoder

SPEC = FeatureSpec("fake", "0" * 64, ("top",), "avg", (32, 32), "crop", "none", "float32", 1)


class Engine:
    """A fixed projection of the pixels; tells what it computed."""

    name, device, notes, widths = "fake", "cpu", (), (16,)

    def __init__(self, tell):
        self._tell = tell
        self._projection = np.random.default_rng(0).normal(size=(32 * 32 * 3, 16))

    def __call__(self, images):
        for image in images:
            self._tell("computed", hashlib.sha256(image.tobytes()).hexdigest())
        flat = images.reshape(len(images), -1) / 255.0
        # Row by row: a product's last bit depends on how many rows it has.
        return np.stack([row @ self._projection for row in flat]).astype(np.float32)


class Job:
    """One forked process: its log outlives its death."""

    def __init__(self, job):
        self._log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._kill_at = job.get("kill_at")  # kind and number
        self._events = Counter()
        self._counting = threading.Lock()
        self.job = job

    def tell(self, what, value=1):
        os.write(self._log, f"{what} {value}\n".encode())

    def event(self, what):
        with self._counting:  # two workers must not step over the number
            self._events[what] += 1
            self.tell(what)
            if [what, self._events[what]] == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def before(self, what, function):
        def hooked(*args, **kwargs):
            self.event(what)
            return function(*args, **kwargs)

        return hooked

    def hook(self):
        """Let every step that the disk or the cache can see be an event."""
        run.decode_for = self.before("decode", run.decode_for)
        Engine.__call__ = self.before("infer", Engine.__call__)
        os.fsync = self.before("fsync", os.fsync)
        os.replace = self.before("rename", os.replace)
        Path.unlink = self.before("unlink", Path.unlink)
        segment.open = index_module.open = self.open_half

    def open_half(self, path, mode="r", **options):
        """Open a file whose write can be torn in the middle."""
        file = builtins.open(path, mode, **options)  # noqa: SIM115 - the caller closes it
        if "x" not in mode:
            return file
        write = file.write

        def torn(data):
            half = len(data) // 2
            write(data[:half])
            file.flush()
            self.event("write")
            return half + write(data[half:])

        return _Torn(file, torn)

    def extract(self):
        index_module.TAIL_SEGMENTS = self.job.get("tail_segments", index_module.TAIL_SEGMENTS)
        index_module.FAN = self.job.get("index_fan", index_module.FAN)
        compact.FAN = self.job.get("fan", compact.FAN)
        pipeline.SEGMENT_ROWS = self.job["segment_rows"]
        store = FeatureStore(Path(self.job["cache"]), SPEC)
        append = store.append

        def told(digests, *rest):
            path = append(digests, *rest)
            self.tell("committed", len(digests))
            return path

        store.append = told
        with StatIndex(Path(self.job["stat_index"])) as index:
            result = pipeline.extract(
                [Path(path) for path in self.job["paths"]],
                store,
                lambda: Engine(self.tell),
                index,
                batch_size=self.job["batch_size"],
                workers=self.job["workers"],
            )
        assert all(digest is not None for digest in result.digests), result.failures
        assert store.read(result.digests).shape == (len(result.digests), 16)

    def compact(self):
        compact.MERGED_BYTES = self.job.get("merged_bytes", compact.MERGED_BYTES)
        compact.compact(Path(self.job["cache"]))

    def compact_meanwhile(self):
        """Compact again and again until the others' files say that they have ended."""
        while not all(Path(path).exists() for path in self.job["until"]):
            self.compact()


class _Torn:
    def __init__(self, file, write):
        self._file, self.write = file, write

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *ending):
        self._file.close()


def do(job):
    """Do one job in this, forked, process."""
    doing = Job(job)
    if "kill_at" in job:
        doing.hook()
    try:
        getattr(doing, job["do"])()
    finally:
        if "done" in job:
            Path(job["done"]).touch()


def main():
    """Fork a process for each job of a line's list; answer how each ended.

    What each would first do for itself, such as loading Pillow's formats, is done here once.
    """
    Image.init()
    prove_decoder()
    for line in sys.stdin:
        children = []
        for job in json.loads(line):
            child = os.fork()
            if not child:
                try:
                    do(job)
                except BaseException:  # the child must not go on as the parent
                    os.write(2, f"{job['do']}:\n{traceback.format_exc()}".encode())
                    os._exit(1)
                os._exit(0)
            children.append(child)
        endings = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        sys.stdout.write(json.dumps(endings) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
