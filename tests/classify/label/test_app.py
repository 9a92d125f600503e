"""The page's addresses: nothing outside DATA, nothing for other pages, nothing without bounds."""

import asyncio
import shutil

import pytest

pytest.importorskip("fastapi", reason="the page: headstart[serve] is not installed")

from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

from headstart.classify.data.collection import load_collection
from headstart.classify.label.app import make_app
from headstart.classify.label.session import open_session
from headstart.classify.serve.limits import Limits
from headstart.classify.serve.middleware import bounded
from headstart.extract.images.dataset import read_photographs
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source

HOST = "127.0.0.1:8001"


@pytest.fixture
def client(fake_engine, photographs, tmp_path):
    folder = tmp_path / "flat"
    folder.mkdir()
    for file in sorted(photographs.glob("*/*")):
        shutil.copy(file, folder / f"{file.parent.name}-{file.name}")
    source = feature_source(execution=Execution(cache=tmp_path / "cache"))
    collection = load_collection(read_photographs(folder), source)
    session, _ = open_session(collection, source, tmp_path / "labels.csv")
    with TestClient(
        make_app(session, tmp_path / "m.headstart", [HOST]), base_url=f"http://{HOST}"
    ) as opened:
        yield opened
    session.file.__exit__()


def test_the_page_loads_nothing_from_elsewhere(client):
    page = client.get("/")
    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert page.headers["X-Frame-Options"] == "DENY"


def test_pictures_are_those_of_the_data_alone(client):
    shown = client.get("/next?count=1").json()[0]
    picture = client.get(f"/pictures/small/{shown['picture']}")
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.content[:2] == b"\xff\xd8"
    assert client.get(f"/pictures/large/{shown['picture']}").status_code == 200
    assert client.get(f"/pictures/huge/{shown['picture']}").status_code == 404
    for name in ("0" * 64, "..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd", "labels.csv"):
        assert client.get(f"/pictures/small/{name}").status_code in (404, 422)


def test_labels_are_given_and_undone(client):
    first = client.get("/next?count=2").json()
    body = {"labels": {str(photograph["row"]): "red" for photograph in first}}
    assert client.post("/labels", json=body).json()["labelled"] == 2
    undone = client.post("/undo", json={}).json()
    assert undone["state"]["labelled"] == 0
    assert [p["row"] for p in undone["photographs"]] == sorted(p["row"] for p in first)


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}]
)
def test_what_other_pages_send_is_refused(client, headers):
    body = {"labels": {"0": "owned"}}
    assert client.post("/labels", json=body, headers=headers).status_code == 403
    assert client.get("/state").json()["labelled"] == 0
    same = {"Origin": f"http://{HOST}"}
    assert client.post("/labels", json=body, headers=same).status_code == 200


def test_bodies_have_bounds(client):
    assert client.post("/labels", content=b"x" * 1_000_001).status_code == 413
    assert client.post("/labels", content=iter([b"{}"])).status_code == 411
    many = {"labels": {str(row): "red" for row in range(501)}}
    assert client.post("/labels", json=many).status_code == 422
    assert client.get("/photographs?count=501").status_code == 422


def test_what_cannot_be_is_told_in_words(client):
    answer = client.post("/labels", json={"labels": {"99": "red"}})
    assert (answer.status_code, answer.json()["detail"]) == (422, "no photograph 99")
    answer = client.post("/classes", json={"name": "x", "was": "none"})
    assert "no class 'none'" in answer.json()["detail"]


def test_all_photographs_come_in_parts(client):
    parts = [client.get(f"/photographs?start={start}&count=12").json() for start in (0, 12, 24)]
    assert [len(part) for part in parts] == [12, 12, 6]
    assert len({photograph["row"] for part in parts for photograph in part}) == 30


def test_a_body_that_comes_too_slowly_and_too_many_at_once_are_refused():
    arrive = asyncio.Event()

    async def slow(scope, receive, send):
        await arrive.wait()
        await JSONResponse("answered")(scope, receive, send)

    async def asked(app, *messages):
        waiting, said = list(messages), []

        async def receive():
            return waiting.pop(0) if waiting else await asyncio.Event().wait()

        async def send(message):
            said.append(message)

        await app({"type": "http", "headers": [(b"content-length", b"9")]}, receive, send)
        return said[0]["status"]

    async def all_of_them():
        app = bounded(slow, Limits(seconds=0.2, concurrency=1))
        part = {"type": "http.request", "body": b"{", "more_body": True}
        whole = {"type": "http.request", "body": b"{}"}
        assert await asked(app, part) == 408
        first = asyncio.create_task(asked(app, whole))
        await asyncio.sleep(0)
        assert await asked(app, whole) == 503
        arrive.set()
        assert await first == 200
        assert await asked(app, part, whole) == 200

    asyncio.run(all_of_them())
