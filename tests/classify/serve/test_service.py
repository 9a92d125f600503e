"""The service as its clients see it, with the fake engine: answers, refusals, figures, pages."""

import asyncio
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the service: headstart[serve] is not installed")

from fastapi.testclient import TestClient
from hypothesis import given

from fakes import FakeEngine
from headstart.classify.predict.in_memory import Labeller, Labels
from headstart.classify.predict.predict import predict
from headstart.classify.saved.load import load_model
from headstart.classify.serve.app import make_app
from headstart.classify.serve.batcher import Batcher
from headstart.classify.serve.limits import Limits
from headstart.extract.images.folder import plain_files
from headstart.extract.recipe import Execution
from near import near
from pictures import HOSTILE

pytestmark = pytest.mark.usefixtures("fake_engine")


@pytest.fixture
def options(tmp_path):
    return Execution(cache=tmp_path / "cache", max_pixels=10_000)


@pytest.fixture
def model(trained):
    return load_model(trained()[0])


@pytest.fixture
def photographs(trained):
    return plain_files(trained()[1])


@pytest.fixture
def client(model, options):
    """A service with small limits."""
    limits = Limits(upload_bytes=200_000, files=4)
    with TestClient(make_app(Labeller(model, options), limits, top=2)) as opened:
        yield opened


def sent(*files):
    return [("files", file) for file in files]


def test_several_files_get_what_predict_says_and_failures_their_reasons(
    client, model, options, photographs
):
    files = [photographs[0], photographs[-1]]
    torn = ("torn.jpg", photographs[1].read_bytes()[:200])
    (first, second), _ = predict(model, files, options, top=2)
    answer = client.post(
        "/predict",
        files=sent(("a.jpg", files[0].read_bytes()), torn, (HOSTILE[0], files[1].read_bytes())),
    )
    assert answer.status_code == 200
    document = answer.json()
    assert set(document) == {"version", "predictions", "failed"}
    for told, index, name, expected in zip(
        document["predictions"], (0, 2), ("a.jpg", HOSTILE[0]), (first, second), strict=True
    ):
        # Another batch than predict's: the last bits of a sum may differ.
        assert told == near(
            {
                "index": index,
                "file": name,
                "label": expected.label,
                "probability": expected.top[0][1],
                "abstained": False,
                "top": [{"label": label, "probability": value} for label, value in expected.top],
            }
        )
    (failed,) = document["failed"]
    assert (failed["index"], failed["file"]) == (1, "torn.jpg")
    assert failed["reason"].startswith("damaged ")


def test_a_request_says_how_many_classes_it_wants(client, photographs):
    files = sent(("a", photographs[0].read_bytes()))
    (told,) = client.post("/predict?top=99", files=files).json()["predictions"]
    assert len(told["top"]) == 3
    refused = client.post("/predict?top=0", files=files)
    assert refused.status_code == 422
    assert refused.json() == {"detail": "query.top: Input should be greater than or equal to 1"}


def test_where_it_abstains_there_is_no_label(model, options, photographs):
    with TestClient(make_app(Labeller(model, options, abstain=1e-9))) as client:
        files = sent(("a", photographs[0].read_bytes()))
        (told,) = client.post("/predict", files=files).json()["predictions"]
        assert (told["label"], told["abstained"]) == (None, True)
        assert told["top"][0]["probability"] == told["probability"]
        assert 'headstart_images_total{outcome="abstained"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("request_of", "status", "detail"),
    [
        (lambda c: c.get("/nowhere"), 404, "Not Found"),
        (lambda c: c.get("/predict"), 405, "Method Not Allowed"),
        (lambda c: c.post("/predict", content=b"x"), 415, "send photographs as multipart"),
        (lambda c: c.post("/predict", files=sent(("a", b""))), 422, None),
        (lambda c: c.post("/predict", files=sent(*[("a", b"x")] * 5)), 413, "more than 4 files"),
        (lambda c: c.post("/predict", files=sent(("a", bytes(200_000)))), 413, "the upload is lar"),
        (
            lambda c: c.post(
                "/predict",
                content=iter([b"--x\r\n", bytes(300_000), b"rest"]),
                headers={"Content-Type": "multipart/form-data; boundary=x"},
            ),
            413,
            "the upload is larger than 200,000 bytes",
        ),
    ],
)
def test_what_cannot_be_done_is_told_by_status_and_in_words(client, request_of, status, detail):
    answer = request_of(client)
    assert answer.status_code == status
    if detail:
        assert answer.json()["detail"].startswith(detail)


def test_too_many_pixels_are_a_failure_and_status_422_when_nothing_else_was_sent(client, tmp_path):
    from PIL import Image

    Image.new("RGB", (101, 100)).save(tmp_path / "large.png")
    files = sent(("large.png", (tmp_path / "large.png").read_bytes()))
    answer = client.post("/predict", files=files)
    assert answer.status_code == 422
    assert answer.json()["failed"][0]["reason"] == (
        "too large: 101 x 100 is 10,100 pixels, the limit is 10,000"
    )


class Held(Labeller):
    """A labeller whose calls wait until they are let go."""

    def __init__(self, *args):
        self.let_go, self.reached = threading.Event(), threading.Event()
        self.let_go.set()
        super().__init__(*args)

    def label(self, images):
        self.reached.set()
        self.let_go.wait()
        return super().label(images)


def told_to_come_again(answer):
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    return answer.json()["detail"]


def test_one_request_too_many_is_told_to_come_again(model, options, photographs):
    labeller = Held(model, options)
    files = sent(("a", photographs[0].read_bytes()))
    with (
        TestClient(make_app(labeller, Limits(concurrency=1, seconds=600))) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        labeller.reached.clear()
        labeller.let_go.clear()
        first = pool.submit(client.post, "/predict", files=files)
        labeller.reached.wait()
        refused = told_to_come_again(client.post("/predict", files=files))
        labeller.let_go.set()
        assert first.result().status_code == 200
    assert refused == "as many requests wait as may, 1: try again"


def test_a_request_that_takes_too_long_is_told_to_come_again(model, options, photographs):
    labeller = Held(model, options)
    files = sent(("a", photographs[0].read_bytes()))
    with TestClient(make_app(labeller, Limits(seconds=0.3))) as client:
        labeller.let_go.clear()
        refused = told_to_come_again(client.post("/predict", files=files))
        labeller.let_go.set()
        while client.post("/predict", files=files).status_code == 503:
            pass  # a busy machine may need several attempts
    assert refused == "no labels within 0.3 seconds: try again"


def test_an_engine_that_fails_is_status_500_and_the_next_request_is_answered(
    model, options, photographs, monkeypatch
):
    labeller = Labeller(model, options)
    files = sent(("a", photographs[0].read_bytes()))
    with TestClient(make_app(labeller), raise_server_exceptions=False) as client:
        with monkeypatch.context() as patch:
            patch.setattr(FakeEngine, "__call__", lambda self, images: 1 / 0)
            assert client.post("/predict", files=files).status_code == 500
        assert client.post("/predict", files=files).status_code == 200


def test_health_names_the_model_and_its_classes(client, model):
    answer = client.get("/healthz")
    assert answer.status_code == 200
    document = answer.json()
    assert document["ready"] is True
    assert (document["model"], document["backbone"]) == ("logreg", "mobilenet")
    assert document["classes"] == model.classes


def test_figures_count_requests_images_and_batches(client, photographs):
    client.post(
        "/predict", files=sent(*[("a", f.read_bytes()) for f in photographs[:3]], ("b", b"x"))
    )
    client.post("/nowhere-1")
    client.post("/nowhere-2")
    figures = client.get("/metrics")
    assert figures.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = figures.text.splitlines()
    for line in (
        'headstart_requests_total{path="/predict",status="200"} 1.0',
        'headstart_requests_total{path="other",status="404"} 2.0',
        'headstart_images_total{outcome="labelled"} 3.0',
        'headstart_images_total{outcome="failed"} 1.0',
        'headstart_request_seconds_count{path="/predict"} 1.0',
        "headstart_batch_images_sum 3.0",
        "headstart_queue_images 0.0",
        "headstart_waiting_requests 0.0",
        "headstart_upload_bytes 0.0",
    ):
        assert line in lines


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/healthz", "/nowhere"])
def test_every_answer_has_security_headers_and_loads_nothing_foreign(client, path):
    answer = client.get(path)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", answer.text)


def test_the_openapi_document_describes_uploads_and_refusals(client):
    document = client.get("/openapi.json").json()
    post = document["paths"]["/predict"]["post"]
    form = post["requestBody"]["content"]["multipart/form-data"]["schema"]
    files = form["properties"]["files"]
    assert (files["items"], files["minItems"]) == ({"type": "string", "format": "binary"}, 1)
    refusal = post["responses"]["422"]["content"]["application/json"]["schema"]
    kinds = [kind["$ref"].rpartition("/")[2] for kind in refusal["anyOf"]]
    assert kinds == ["Answer", "Problem"]
    assert set(post["responses"]) == {"200", "400", "408", "413", "415", "422", "503"}
    page = client.get("/docs").text
    for status in post["responses"]:
        assert f'<th scope="row">{status}</th>' in page
    assert "GET /metrics" in page


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/healthz", "/metrics"])
def test_head_answers_as_get_does_without_the_body(client, path):
    whole, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == whole.headers["content-type"]
    assert client.head("/predict").status_code == 405


def test_whatever_the_openapi_document_allows_is_answered_as_it_says(model, options):
    """schemathesis sends what the document allows, and what it forbids."""
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    from hypothesis import HealthCheck, Phase, settings

    schema = schemathesis.openapi.from_asgi("/openapi.json", make_app(Labeller(model, options)))
    asked = set()

    for operation in schema.get_all_operations():
        strategy = operation.ok().as_strategy()

        @settings(
            max_examples=20,
            database=None,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy)
        def ask(case):
            # Bytes of any kind are allowed, and told in words that they are no image: 422.
            case.call_and_validate(excluded_checks=[schemathesis.checks.positive_data_acceptance])
            asked.add((case.method, case.path))

        ask()
    assert asked == {("POST", "/predict"), ("GET", "/healthz"), ("GET", "/metrics")}


def test_a_batch_takes_its_share_of_what_waits_and_gives_each_its_own_row():
    batches = []
    gate = threading.Event()

    def label(images):
        gate.wait(600)
        return Labels(
            images.reshape(len(images), -1)[:, :1].astype(float), np.zeros(len(images), bool)
        )

    async def run():
        batcher = Batcher(label, size=4, calls=2, seen=batches.append)
        tasks = [
            asyncio.create_task(batcher(np.full((1, 2, 2, 3), n, np.uint8))) for n in range(13)
        ]
        await asyncio.sleep(0)
        assert (batches, len(batcher)) == ([1, 1], 11)
        tasks[-1].cancel()
        gate.set()
        rows = await asyncio.gather(*tasks[:-1])
        batcher.close()
        return [float(row[0][0]) for row in rows]

    assert asyncio.run(run()) == list(range(12))
    assert sum(batches) == 12, "what was given up is not computed"
    assert max(batches) == 4
