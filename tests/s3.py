"""An S3 server on loopback, and a line to it that can be cut; as a program, a writer to kill."""

import contextlib
import itertools
import re
import socket
import sys
import threading

import numpy as np
import pytest

from headstart.cache import FeatureSpec, FeatureStore, cache_folder
from headstart.storage import file_system

SPEC = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 8), "squash", "none", "float32", 1)
ROWS = 4096
COLUMNS = 256  # 4 MB a segment: many packets
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
}


class S3Server:
    """A server that runs, and its buckets."""

    def __init__(self, address):
        self.address = address
        self._numbers = itertools.count()

    @contextlib.contextmanager
    def bucket(self):
        """Yield the URL of an empty bucket, where this process and its children find it."""
        import fsspec

        with pytest.MonkeyPatch.context() as patch:
            for name, value in CREDENTIALS.items():
                patch.setenv(name, value)
            patch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*self.address))
            # fsspec keeps file systems, which know the endpoint that they were made with.
            fsspec.filesystem("s3").clear_instance_cache()
            name = f"bucket-{next(self._numbers)}"
            fsspec.filesystem("s3").mkdir(name)
            yield f"s3://{name}"
            fsspec.filesystem("s3").clear_instance_cache()


@contextlib.contextmanager
def s3_server():
    """Run an S3 server on loopback."""
    pytest.importorskip("s3fs", reason="object storage: headstart[cloud] is not installed")
    pytest.importorskip("moto.server", reason="an S3 server: moto[server] is not installed")
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    try:
        yield S3Server(running.get_host_and_port())
    finally:
        running.stop()


def upload(path, url):
    """Put a file or folder behind a URL."""
    system, place = file_system(url)
    system.put(str(path), place, recursive=True)


def segment(number):
    """Return digests and rows of one segment."""
    digests = [bytes([number]) + at.to_bytes(31, "big") for at in range(ROWS)]
    rows = np.random.default_rng(number).normal(size=(ROWS, COLUMNS)).astype(np.float32)
    return digests, rows


class Line:
    """A TCP proxy that calls a function once so many bytes went to the server."""

    def __init__(self, server):
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.limit, self.cut = None, None
        self.sent = 0
        self.requests = []  # their methods
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            for one, other, counts in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pump, args=(one, other, counts), daemon=True).start()

    def _pump(self, source, target, counts):
        with source, target:
            while True:
                try:
                    data = source.recv(16_384)
                    if counts:
                        self.requests += re.findall(rb"^(GET|HEAD|PUT|POST|DELETE) ", data)
                        self.sent += len(data)
                        if self.limit is not None and self.sent > self.limit:
                            self.cut()
                            return
                    if not data:
                        return
                    target.sendall(data)
                except OSError:
                    return

    def close(self):
        self._listener.close()


def main():
    """Open the cache, then append the segment that is asked for."""
    store = FeatureStore(cache_folder(sys.argv[1]), SPEC)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    store.append(*segment(int(sys.stdin.readline())))


if __name__ == "__main__":
    main()
