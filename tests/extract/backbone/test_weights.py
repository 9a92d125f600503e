"""Downloads of weights, from a server on this machine that breaks in every way."""

import hashlib
import http.server
import os
import subprocess
import sys
import threading

import pytest

from headstart.errors import WeightsError
from headstart.extract.backbone.backbones import find_backbone
from headstart.extract.backbone.weights import ATTEMPTS, Pretrained, find_weights
from headstart.storage import temporary_name

WEIGHTS = bytes(range(256)) * 1000


class Server(http.server.BaseHTTPRequestHandler):
    """Answers each request in the next way of ``ways``, the last one again and again."""

    ways = ()
    asked = 0

    def do_GET(self):
        way = self.ways[min(type(self).asked, len(self.ways) - 1)]
        type(self).asked += 1
        if way == "missing":
            self.send_error(404)
            return
        self.send_response(200)
        if way != "unannounced":
            self.send_header("Content-Length", str(len(WEIGHTS)))
        self.end_headers()
        content = {
            "half": WEIGHTS[: len(WEIGHTS) // 2],
            "nothing": b"",
            "wrong": WEIGHTS[::-1],
            "unannounced": WEIGHTS[:1000],
        }.get(way, WEIGHTS)
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    """Start a server; return (what to download, the handler that counts)."""
    handler = type("Counting", (Server,), {"asked": 0})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    def answer(*ways, checksum=None):
        handler.ways = ways
        address = f"http://127.0.0.1:{server.server_port}/weights.h5"
        checksum = checksum or hashlib.sha256(WEIGHTS).hexdigest()
        return Pretrained(url=address, checksum=checksum, file="weights.h5"), handler

    yield answer
    server.shutdown()
    thread.join()
    server.server_close()


def left(pretrained):
    return [path.name for path in pretrained.local().parent.glob("*")]


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_download_is_checked_and_named_once_it_is_whole(serve, heard, algorithm):
    checksum = hashlib.new(algorithm, WEIGHTS).hexdigest()
    pretrained, server = serve("whole", checksum=checksum)
    assert find_weights("net", pretrained).read_bytes() == WEIGHTS
    assert find_weights("net", pretrained) == pretrained.local()
    assert (server.asked, left(pretrained)) == (1, ["weights.h5"])
    assert heard.notes == [f"downloading the ImageNet weights of net from {pretrained.url}"]


@pytest.mark.parametrize("way", ["half", "nothing", "wrong", "unannounced", "missing"])
def test_a_broken_download_is_fetched_again(serve, way):
    pretrained, server = serve(way, "whole")
    assert find_weights("net", pretrained).read_bytes() == WEIGHTS
    assert (server.asked, left(pretrained)) == (2, ["weights.h5"])


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("half", "256000|IncompleteRead|128,000 of 256,000 bytes came"),
        ("nothing", "0 of 256,000 bytes came|IncompleteRead"),
        ("wrong", "what came has not the checksum"),
        ("unannounced", "what came has not the checksum"),
        ("missing", "HTTP Error 404"),
    ],
)
def test_a_download_that_stays_broken_is_told_and_never_left_in_place(serve, way, reason):
    pretrained, server = serve(way)
    with pytest.raises(WeightsError, match=reason) as caught:
        find_weights("net", pretrained)
    assert "\n" not in str(caught.value)
    assert (server.asked, left(pretrained)) == (ATTEMPTS, [])


def test_what_another_program_left_half_downloaded_is_not_taken(serve):
    pretrained, server = serve("whole")
    pretrained.local().parent.mkdir(parents=True)
    pretrained.local().write_bytes(WEIGHTS[:1000])
    assert find_weights("net", pretrained).read_bytes() == WEIGHTS
    assert server.asked == 1


def test_what_a_killed_download_left_is_removed_by_the_next(serve):
    pretrained, server = serve("whole")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    pretrained.local().parent.mkdir(parents=True)
    left_behind = temporary_name().replace(f".{os.getpid()}.", f".{dead.pid}.")
    pretrained.local().with_name(left_behind).write_bytes(b"half")
    find_weights("net", pretrained)
    assert (server.asked, left(pretrained)) == (1, ["weights.h5"])


def test_a_file_already_in_keras_cache_is_taken(serve):
    pretrained, server = serve("whole")
    pretrained.local().parent.mkdir(parents=True)
    pretrained.local().write_bytes(WEIGHTS)
    assert find_weights("net", pretrained) == pretrained.local()
    assert server.asked == 0


def test_a_place_that_cannot_be_written_is_told(serve, tmp_path, monkeypatch):
    pretrained, server = serve("whole")
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match=r"cannot download .*directory"):
        find_weights("net", pretrained)
    assert server.asked == 0


def test_without_a_network_one_line_says_what_to_fetch_and_where_to_put_it():
    nobody = Pretrained(url="http://127.0.0.1:1/x.h5", checksum="0" * 64, file="x.h5")
    with pytest.raises(WeightsError) as caught:
        find_weights("vgg16", nobody)
    line = str(caught.value)
    assert "\n" not in line
    assert f"fetch {nobody.url} elsewhere and put it at {nobody.local()}" in line


def test_vgg16_has_a_checksum():
    assert len(find_backbone("vgg16").imagenet.checksum) in (32, 64)
