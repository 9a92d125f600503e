"""The service in a process of its own: signals, slow and oversized uploads, where it listens."""

import http.client
import json
import os
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

pytest.importorskip("fastapi", reason="the service: headstart[serve] is not installed")
pytest.importorskip("httpx2", reason="the tests' HTTP client is not installed")

import httpx2
import psutil

from headstart.extract.images.folder import plain_files
from serving import serving

FORM = "multipart/form-data; boundary=x"
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"


@pytest.fixture(scope="module")
def photograph(trained):
    return plain_files(trained()[1])[0].read_bytes()


def post(url, photograph):
    return httpx2.post(f"{url}predict", files={"files": ("a.png", photograph)}, timeout=600)


def exchange(address, *chunks):
    """Send bytes as they are; return all that comes back until the other side closes."""
    with closing(socket.create_connection(address, timeout=600)) as connection:
        for chunk in chunks:
            connection.sendall(chunk)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def takes_connections(address):
    try:
        socket.create_connection(address, timeout=600).close()
    except ConnectionError:
        return False
    return True


def test_it_listens_on_loopback_and_labels(served, photograph):
    (listening,) = [
        one
        for one in psutil.Process(served.process.pid).net_connections()
        if one.status == psutil.CONN_LISTEN
    ]
    assert listening.laddr.ip == "127.0.0.1"
    answer = post(served.url, photograph)
    assert answer.status_code == 200
    assert answer.json()["predictions"][0]["label"] == "blue"
    assert "server" not in answer.headers


SLOW = HEAD + b"Content-Length: 1000\r\n\r\n--x\r\n"  # an upload whose rest never comes


def test_slow_uploads_and_slow_headers_harm_nobody_else(served, photograph):
    with ExitStack() as slow_ones:
        for begin in (*[SLOW] * 19, b"POST /predict HTTP/1.1\r\nHo"):
            connection = socket.create_connection(served.address)
            slow_ones.enter_context(closing(connection)).sendall(begin)
        assert post(served.url, photograph).status_code == 200


def test_a_slow_upload_gets_408_and_a_slow_header_nothing(trained, tmp_path):
    with (
        serving(trained()[0], "--timeout", "0.5", cache=tmp_path) as service,
        ThreadPoolExecutor(2) as pool,
    ):
        upload = pool.submit(exchange, service.address, SLOW)
        header = pool.submit(exchange, service.address, b"POST /predict HTTP/1.1\r\nHo")
        assert upload.result().startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert header.result() == b""


def test_an_oversized_upload_hears_why_before_the_connection_closes(served):
    size = 30_000_000
    stated = exchange(served.address, HEAD + b"Content-Length: %d\r\n\r\n" % size, bytes(size))
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(part), part)
    chunk = b"100000\r\n" + bytes(0x100000) + b"\r\n"
    chunked = exchange(served.address, head, *[chunk] * 20, b"0\r\n\r\n")
    for answer in (stated, chunked):
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in answer.lower()
        detail = json.loads(answer.partition(b"\r\n\r\n")[2])["detail"]
        assert detail.startswith("the upload is larger than 200,000 bytes")


def test_who_asks_before_sending_too_much_is_told_not_to(served):
    head = HEAD + b"Content-Length: 30000000\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    with closing(socket.create_connection(served.address, timeout=600)) as connection:
        connection.sendall(head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_what_is_no_http_gets_400_and_no_line_in_the_log(served):
    assert exchange(served.address, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_signal_answers_what_is_in_flight_and_refuses_what_is_new(trained, tmp_path, photograph):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with (
        serving(trained()[0], cache=tmp_path, HELD_BY=str(gate)) as service,
        ThreadPoolExecutor(1) as pool,
    ):
        answer = pool.submit(post, service.url, photograph)
        service.wait_for("held")
        service.process.terminate()
        service.wait_for("answering the requests in flight; a second signal cuts them off")
        while takes_connections(service.address):
            pass  # the listener closes within a tenth of a second
        gate.write_text("")
        assert answer.result().status_code == 200
        assert service.ending() == (143, "error: stopped: every request in flight was answered")


def ask_until_refused(address, form, begun):
    """Keep one connection alive and ask on it for as long as there is somebody to answer."""
    statuses = []
    connection = http.client.HTTPConnection(*address, timeout=600)
    while True:
        try:
            connection.connect()
        except ConnectionRefusedError:
            return statuses
        closing = False
        while not closing:
            connection.request("POST", "/predict", form, {"Content-Type": FORM})
            answer = connection.getresponse()
            statuses.append((answer.status, len(answer.read()) > 0))
            closing = answer.headers.get("Connection") == "close"
            begun.release()
        connection.close()


def test_clients_that_keep_their_connections_see_no_reset_when_it_stops(
    trained, tmp_path, photograph
):
    form = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        b"%b\r\n--x--\r\n" % photograph
    )
    begun = threading.Semaphore(0)
    with serving(trained()[0], cache=tmp_path) as service, ThreadPoolExecutor(16) as pool:
        clients = [pool.submit(ask_until_refused, service.address, form, begun) for _ in range(16)]
        for _ in range(200):
            assert begun.acquire(timeout=600)
        service.process.terminate()
        answers = [answer for client in clients for answer in client.result()]
        assert service.ending() == (143, "error: stopped: every request in flight was answered")
    assert {status for status, _ in answers} <= {200, 503}
    assert all(in_words for _, in_words in answers)
    assert len(answers) >= 200


@pytest.mark.usefixtures("heeded_signals")
def test_sighup_ends_it_too_and_no_upload_was_written(trained, tmp_path, photograph):
    with serving(trained()[0], cache=tmp_path / "cache", TMPDIR=str(tmp_path)) as service:
        assert post(service.url, photograph * 40).status_code == 200  # trailing bytes are no harm
        service.process.send_signal(signal.SIGHUP)
        assert service.ending() == (129, "error: stopped: every request in flight was answered")
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == []


@pytest.mark.slow
def test_a_second_signal_does_not_wait(trained, tmp_path, photograph):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with (
        serving(trained()[0], cache=tmp_path, HELD_BY=str(gate)) as service,
        ThreadPoolExecutor(1) as pool,
    ):
        answer = pool.submit(post, service.url, photograph)
        service.wait_for("held")
        service.process.send_signal(signal.SIGTERM)
        service.wait_for("answering the requests in flight")
        service.process.send_signal(signal.SIGTERM)
        assert answer.result().status_code == 500
        gate.write_text("")  # the thread in the engine is waited for, as Python does
        assert service.ending() == (143, "error: stopped: requests in flight were cut off: 1")


def test_a_port_in_use_and_an_address_of_another_machine_are_one_line(headstart, trained):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        status, out, err = headstart("serve", trained()[0], "--port", port)
    assert (status, out) == (1, "")
    assert err.splitlines()[-1] == (
        f"error: cannot listen on 127.0.0.1, port {port}: Address already in use; "
        "--port 0 takes a free port"
    )
    status, out, err = headstart("serve", trained()[0], "--host", "192.0.2.1", "--port", "0")
    assert (status, out) == (1, "")
    assert err.splitlines()[-1].startswith("error: cannot listen on 192.0.2.1, port 0: Cannot")


def test_without_the_extra_the_pip_command_is_named(headstart, trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)  # as if it were not there
    status, out, err = headstart("serve", trained()[0])
    assert (status, out) == (1, "")
    assert err.splitlines()[-1] == (
        "error: serve needs prometheus_client, not installed: pip install 'headstart[serve]'"
    )


def test_other_machines_are_let_in_only_when_told_and_a_line_says_so(trained, tmp_path):
    with serving(trained()[0], "--host", "0.0.0.0", cache=tmp_path) as service:
        assert service.url.startswith("http://0.0.0.0:")
        service.wait_for("other machines can reach 0.0.0.0, and there is no authentication")
