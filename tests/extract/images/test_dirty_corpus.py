"""Files as people really have them: the same outcome in a folder, a tar file, Parquet and the service."""

import json
import os
import re
import socket
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dirty import DUPLICATE, FAILED, FILES, LEFT_OUT
from fakes import FakeEngine, engines_made_by
from headstart.cache import StatIndex
from headstart.errors import DecodeError
from headstart.extract.images.dataset import read_dataset
from headstart.extract.pipeline import extract
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source
from headstart.text import shown
from pictures import decode
from shards import parquet_of, tar_of


def make_pipe(path):
    os.mkfifo(path)


def make_socket(path):
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path may be no longer than 107 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)
    os.chdir(here)


SPECIAL = [
    ("zz link.jpg", lambda p: p.symlink_to("plain.jpg"), DUPLICATE, "same bytes as"),
    ("dangling.jpg", lambda p: p.symlink_to("gone"), LEFT_OUT, "cannot look at .*dangling.jpg"),
    ("itself.jpg", lambda p: p.symlink_to("itself.jpg"), LEFT_OUT, "cannot look at .*itself.jpg"),
    ("loop", lambda p: p.symlink_to(".", target_is_directory=True), LEFT_OUT, None),
    ("pipe.jpg", make_pipe, LEFT_OUT, "pipe.jpg is no plain file"),
    ("socket.jpg", make_socket, LEFT_OUT, "socket.jpg is no plain file"),
]


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "data" / "red"
    folder.mkdir(parents=True)
    for name, content, *_ in FILES:
        (folder / name).write_bytes(content)
    for name, make, *_ in SPECIAL:
        make(folder / name)
    return tmp_path / "data"


def test_every_file_of_the_corpus_has_its_outcome_in_the_ledger(headstart, corpus):
    assert len(FILES) + len(SPECIAL) >= 120
    status, out, err = headstart("extract", "features", corpus, "--json")
    document = json.loads(out)
    assert status == 0
    ledger = {line["path"]: line for line in document["ledger"]}
    assert len(ledger) == document["images"]
    for name, _, outcome, reason in [*FILES, *SPECIAL]:
        line = ledger.pop(shown(corpus / "red" / name), None)
        if outcome == LEFT_OUT:
            assert line is None, name
            assert reason is None or re.search(reason, err), name
            continue
        assert line["outcome"] == outcome, (name, line)
        if reason is None:
            assert line["reason"] is None, (name, line)
        else:
            assert re.search(reason, line["reason"]), (name, line)
            assert line["reason"].isprintable(), "one line"
    assert not ledger, "in the ledger, not in the table"
    counts = {key: document[key] for key in ("extracted", "reused", "duplicates")}
    assert sum(counts.values()) + len(document["failed"]) == document["images"]

    again = json.loads(headstart("extract", "features", corpus, "--json")[1])
    assert (again["extracted"], again["reused"]) == (0, counts["extracted"])
    assert [one["outcome"] for one in again["ledger"]] == [
        {"extracted": "reused"}.get(one["outcome"], one["outcome"]) for one in document["ledger"]
    ]


IMAGES = [row for row in FILES if row[2] != LEFT_OUT]  # whatever they are called elsewhere


def outcomes(dataset, tmp_path, engine):
    """Return what became of each image, in the dataset's order: a reason, or what was done."""
    source = feature_source(execution=Execution(cache=tmp_path / "cache"))
    with StatIndex(tmp_path / "stat") as stat_index:
        extraction = extract(
            [image.path for image in dataset.images],
            source.store(),
            lambda: engine(source),
            stat_index,
            batch_size=16,
            workers=1,
        )
    reasons = {str(failure.path): failure.reason for failure in extraction.failures}
    return [reasons.get(str(image.path), "") for image in dataset.images]


@pytest.mark.parametrize("way", ["folder", "tar", "parquet"])
def test_the_corpus_has_the_same_outcome_in_a_folder_a_tar_file_and_parquet(
    way, tmp_path, fake_engine
):
    place = tmp_path / "corpus"
    named = [(f"red/{n:03}.jpg", data) for n, (_, data, *_) in enumerate(IMAGES)]
    if way == "tar":
        place = tar_of(tmp_path / "corpus.tar", named)
    elif way == "parquet":
        place = parquet_of(tmp_path / "corpus.parquet", [(data, "red") for _, data in named])
    else:
        (place / "red").mkdir(parents=True)
        for name, data in named:
            (place / name).write_bytes(data)
    dataset = read_dataset(place)
    assert len(dataset.images) == len(IMAGES)
    found = outcomes(dataset, tmp_path, fake_engine)
    for (name, _, outcome, reason), became in zip(IMAGES, found, strict=True):
        if outcome == FAILED:
            assert re.search(reason, became), (name, became)
        else:
            assert became == "", (name, became)


def test_the_corpus_has_the_same_outcome_in_the_service(trained, tmp_path):
    pytest.importorskip("fastapi", reason="the service: headstart[serve] is not installed")
    from fastapi.testclient import TestClient

    from headstart.classify.predict.in_memory import Labeller
    from headstart.classify.saved.load import load_model
    from headstart.classify.serve.app import make_app
    from headstart.classify.serve.limits import Limits

    limits = Limits(upload_bytes=20_000_000, files=len(IMAGES))
    with engines_made_by(FakeEngine):
        labeller = Labeller(load_model(trained()[0]), Execution(cache=tmp_path / "cache"))
    with TestClient(make_app(labeller, limits)) as client:
        for name, data, outcome, reason in IMAGES:
            answer = client.post("/predict", files=[("files", ("upload", data))])
            assert answer.status_code == (422 if outcome == FAILED else 200), (name, answer.text)
            document = answer.json()
            if outcome == FAILED:
                (failed,) = document["failed"]
                assert re.search(reason, failed["reason"]), (name, failed)
            else:
                assert len(document["predictions"]) == 1, (name, document)


def test_max_pixels_lets_a_large_image_in_and_keeps_the_spec(headstart, corpus):
    (corpus / "red" / "larger bomb.png").unlink()
    first = json.loads(headstart("extract", "features", corpus, "--json")[1])
    status, out, _ = headstart("extract", "features", corpus, "--json", "--max-pixels", "100000000")
    document = json.loads(out)
    assert status == 0
    assert document["extracted"] == 1
    (line,) = [one for one in document["ledger"] if one["path"].endswith("bomb.png")]
    assert line["outcome"] == "extracted"
    assert document["spec"] == first["spec"]
    few = json.loads(
        headstart("extract", "features", corpus, "--json", "--cache", corpus.parent / "other",
                  "--max-pixels", "1")[1]
    )  # fmt: skip
    assert few["extracted"] == 1, "dot.png has one pixel"


def test_a_file_far_too_large_to_be_an_image_is_not_read(headstart, corpus):
    with open(corpus / "red" / "film.jpg", "wb") as file:
        file.truncate(10 << 30)  # a hole: ten gigabytes that take no room
    out = headstart("extract", "features", corpus, "--json")[1]
    (line,) = [one for one in json.loads(out)["ledger"] if one["path"].endswith("film.jpg")]
    assert line["reason"].startswith("too large: 10,737,418,240 bytes")


def test_a_pipe_named_as_an_image_does_not_hang(tmp_path, fake_engine):
    from headstart.cache import StatIndex
    from headstart.extract.pipeline import extract
    from headstart.extract.recipe import Execution
    from headstart.extract.source import feature_source

    os.mkfifo(tmp_path / "pipe.jpg")
    source = feature_source(execution=Execution(cache=tmp_path / "cache"))
    with StatIndex(tmp_path / "stat.sqlite") as index:
        result = extract(
            [tmp_path / "pipe.jpg"], source.store(), fake_engine, index, batch_size=1, workers=1
        )
    assert [failure.reason for failure in result.failures] == ["no plain file"]


@settings(max_examples=400)
@given(data=st.data())
def test_no_bytes_make_the_decoder_raise_anything_but_decode_error(data):
    whole = data.draw(
        st.sampled_from([content for _, content, outcome, _ in FILES[:60] if content])
    )
    damaged = bytearray(whole[:20_000])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        change = data.draw(st.sampled_from(["flip", "cut", "insert", "repeat"]))
        if change == "flip":
            damaged[at] ^= 1 << data.draw(st.integers(0, 7))
        elif change == "cut":
            del damaged[at : at + data.draw(st.integers(1, 64))]
        elif change == "insert":
            damaged[at:at] = data.draw(st.binary(max_size=16))
        else:
            damaged[at:at] = damaged[at : at + 32]
        if not damaged:
            break
    try:
        pixels = decode(bytes(damaged), (16, 16), max_pixels=1_000_000)
    except DecodeError as error:
        reason = str(error)
    else:
        reason = ""
        assert (pixels.shape, pixels.dtype) == ((16, 16, 3), np.uint8)
    assert "\n" not in reason
