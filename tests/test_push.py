"""A classifier to a hub: a fake one on loopback gets the files, whole and in one commit."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("huggingface_hub", reason="headstart[hub] is not installed")


class Hub(BaseHTTPRequestHandler):
    """What a commit of small files asks of the Hub."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.server.asked.append(self.path)
        if self.headers.get("Authorization") != "Bearer hf_token":
            self.answer({"error": "who are you?"}, 401)
        elif self.path == "/api/repos/create":
            self.server.created = json.loads(body)
            self.answer({"url": "https://huggingface.co/me/colours", "name": "me/colours"})
        elif self.path.endswith("/preupload/main"):
            files = json.loads(body)["files"]
            modes = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files
            ]
            self.answer({"files": modes})
        elif self.path.endswith("/commit/main"):
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    content = base64.b64decode(entry["value"]["content"])
                    self.server.files[entry["value"]["path"]] = content
            url = "https://huggingface.co/me/colours/commit/abc"
            self.answer({"commitUrl": url, "commitOid": "abc", "success": True})
        else:
            self.answer({})

    def answer(self, document, status=200):
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def hub(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.asked, server.files, server.created = [], {}, None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def model(headstart, photographs, tmp_path):
    path = tmp_path / "colours.headstart"
    assert headstart("fit", "head", photographs, "--out", path, "--license", "mit")[0] == 0
    return path


def test_model_and_card_arrive_whole(headstart, hub, model, monkeypatch):
    monkeypatch.setattr("huggingface_hub.utils._headers.get_token", lambda: "hf_token")
    status, out, err = headstart("push", model, "me/colours", "--private")
    assert status == 0, err
    assert out.splitlines()[-1] == "https://huggingface.co/me/colours/commit/abc"
    assert hub.created["name"] == "colours"
    assert hub.files == {
        "README.md": model.with_name("colours.MODEL.md").read_bytes(),
        "colours.MODEL.json": model.with_name("colours.MODEL.json").read_bytes(),
        "colours.headstart": model.read_bytes(),
    }
    assert hub.files["README.md"].startswith(b"---\nlicense: mit")


def test_a_trial_sends_nothing_and_a_refusal_is_one_line(headstart, hub, model, monkeypatch):
    monkeypatch.setattr("huggingface_hub.utils._headers.get_token", lambda: "wrong")
    told = json.loads(headstart("push", model, "me/colours", "--dry-run", "--json")[1])
    assert told["url"] is None
    assert told["files"][0]["name"] == "README.md"
    assert hub.asked == []
    status, out, err = headstart("push", model, "me/colours")
    assert (status, out) == (1, "")
    assert err.splitlines()[-1].startswith("error: cannot push")
    assert "401" in err.splitlines()[-1]


def test_a_model_without_a_card_is_refused(headstart, model):
    model.with_name("colours.MODEL.md").unlink()
    status, _, err = headstart("push", model, "me/colours", "--dry-run")
    assert status == 1
    assert "colours.MODEL.md" in err
