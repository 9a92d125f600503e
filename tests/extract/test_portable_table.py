"""A table of features for others: each kind is read back by its own library, alike."""

import hashlib
import json

import h5py
import numpy as np
import pandas as pd
import pytest

from headstart.cache import rows


@pytest.fixture
def manifest(photographs):
    """A manifest with splits and groups; one image has no label, and one cannot be read."""
    (photographs / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    lines = ["path,label,split,group", "torn.jpg,red,train,g9"]
    for number, path in enumerate(sorted(photographs.glob("*/*"))):
        label = "" if number == 3 else path.parent.name
        lines.append(f"{path.relative_to(photographs)},{label},train,g{number % 4}")
    (photographs / "m.csv").write_text("\n".join(lines))
    return photographs / "m.csv"


@pytest.fixture
def extract(headstart, manifest, tmp_path):
    def to(name):
        status, _, err = headstart("extract", "features", manifest, "--out", tmp_path / name)
        assert status == 0, err
        return tmp_path / name

    return to


def test_pandas_reads_parquet_with_its_embeddings(extract, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(rows, "BLOCK_BYTES", 7 * 12 * 4)  # several row groups
    frame = pd.read_parquet(extract("t.parquet"))
    with h5py.File(extract("t.h5")) as file:
        X, labels = file["features"][...], file["label"][...]
        classes = file["classes"].asstr()[...]
        assert json.loads(file.attrs["spec"])["backbone"] == "mobilenet"
        assert len(file["columns"]) == X.shape[1]
        assert file["group"].asstr()[...].tolist() == frame["group"].to_list()
        assert [bytes(row) for row in file["digest"][...]] == frame["digest"].to_list()
    np.testing.assert_array_equal(np.stack(frame["embedding"].to_list()), X)
    assert len(frame) == 30
    assert frame["label"].isna().sum() == 1
    named = [None if label < 0 else classes[label] for label in labels]
    assert [None if pd.isna(name) else name for name in frame["label"]] == named


def test_arrow_knows_the_length_of_an_embedding_and_the_spec(extract):
    pq = pytest.importorskip("pyarrow.parquet")
    schema = pq.read_schema(extract("t.parquet"))
    assert schema.field("embedding").type.list_size == 12
    kept = json.loads(schema.metadata[b"headstart"])
    assert kept["classes"] == ["blue", "green", "red"]
    assert len(kept["columns"]) == 12


def test_numpy_reads_npz_without_pickle(extract, photographs):
    with np.load(extract("t.npz"), allow_pickle=False) as table:
        assert table["features"].shape == (30, 12)
        assert table["label"].min() == -1
        assert set(table["split"]) == {"train"}
        for path, digest in zip(table["path"], table["digest"], strict=True):
            file = photographs / path.split("photographs/", 1)[1]
            assert bytes(digest) == hashlib.sha256(file.read_bytes()).digest()


def test_another_ending_is_refused_before_anything_is_extracted(headstart, photographs, tmp_path):
    status, out, err = headstart("extract", "features", photographs, "--out", tmp_path / "t.csv")
    assert (status, out) == (1, "")
    assert "t.csv must end in one of .h5, .parquet, .npz" in err
