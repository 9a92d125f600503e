"""``extract features`` over any number of images: counts, parts, and what of it is in memory."""

import json

import pytest

from headstart.extract import feature_run
from headstart.extract.feature_run import extract_photographs
from headstart.extract.photographs import Part, list_photographs
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source


@pytest.fixture
def repeated(photographs):
    """Thirty pictures, copies of four of them far away, and two that cannot be read."""
    for number, path in enumerate(sorted((photographs / "red").iterdir())[:4]):
        (photographs / "zebra").mkdir(exist_ok=True)
        (photographs / "zebra" / f"{number}{path.suffix}").write_bytes(path.read_bytes())
    (photographs / "blue" / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    (photographs / "zebra" / "empty.jpg").write_bytes(b"")
    return photographs


def counts(run):
    whole = run.extraction
    failed = sorted((str(failure.path), failure.reason) for failure in whole.failures)
    return run.images, whole.extracted, whole.reused, whole.duplicates, failed


def test_blocks_count_like_the_whole(repeated, tmp_path, fake_engine, monkeypatch, heard):
    def extract(name):
        source = feature_source(execution=Execution(cache=tmp_path / name))
        return extract_photographs(list_photographs(repeated), source)

    whole = [counts(extract("whole")) for _ in range(2)]
    assert whole[0][:4] == (36, 30, 0, 4)
    assert whole[1][:4] == (36, 0, 30, 4)
    monkeypatch.setattr(feature_run, "BLOCK", 7)
    made = fake_engine.calls
    assert [counts(extract("blocks")) for _ in range(2)] == whole
    assert fake_engine.calls > made
    assert heard.progress[-1] == (36, 36)


def test_of_many_images_no_digest_and_no_line_is_kept(repeated, tmp_path, fake_engine, monkeypatch):
    monkeypatch.setattr(feature_run, "BLOCK", 7)
    source = feature_source(execution=Execution(cache=tmp_path / "cache"))
    run = extract_photographs(list_photographs(repeated), source)
    assert (run.extraction.digests, run.extraction.ledger) == ([], [])
    assert run.to_document()["images"] == 36


def test_parts_extract_all_and_nothing_twice(headstart, photographs, tmp_path, fake_engine):
    documents = []
    for number in (1, 2, 3):
        status, out, _ = headstart(
            "extract", "features", photographs, "--part", f"{number}/3", "--json"
        )
        assert status == 0
        documents.append(json.loads(out))
    assert sum(document["images"] for document in documents) == 30
    assert sum(document["extracted"] for document in documents) == 30
    assert len({document["spec"]["id"] for document in documents}) == 1
    status, out, _ = headstart("extract", "features", photographs, "--json")
    assert (json.loads(out)["reused"], fake_engine.images) == (30, 30)


def test_a_part_with_nothing_in_it_is_no_error(headstart, photographs):
    paths = list_photographs(photographs).paths
    empty = next(n for n in range(1, 301) if not any(map(Part(n, 300).holds, paths)))
    status, out, _ = headstart("extract", "features", photographs, "--part", f"{empty}/300")
    assert (status, out.split(":")[0]) == (0, "0 images")


def test_a_part_writes_its_own_table(headstart, photographs, tmp_path):
    import numpy as np

    rows = 0
    for number in (1, 2):
        out = tmp_path / f"{number}.npz"
        assert (
            headstart("extract", "features", photographs, "--part", f"{number}/2", "--out", out)[0]
            == 0
        )
        rows += len(np.load(out)["features"])
    assert rows == 30


def test_a_mistyped_part_is_told(headstart, photographs):
    status, _, err = headstart("extract", "features", photographs, "--part", "4/3")
    assert status == 1
    assert "--part takes I/N with I from 1 to N" in err
