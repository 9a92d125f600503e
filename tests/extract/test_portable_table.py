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


def names(column):
    """Return the names of a column of categories, None where there is none."""
    categories = column["categories"].asstr()[...].tolist()
    return [None if code < 0 else categories[code] for code in column["codes"]]


def test_pandas_reads_parquet_with_its_embeddings(extract, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(rows, "BLOCK_BYTES", 7 * 12 * 4)  # several row groups
    frame = pd.read_parquet(extract("t.parquet"))
    with h5py.File(extract("t.h5")) as file:
        X, obs = file["X"][...], file["obs"]
        assert json.loads(file["uns/spec"].asstr()[()])["backbone"] == "mobilenet"
        assert len(file["var/column"]) == X.shape[1]
        assert obs["path"].asstr()[...].tolist() == frame["path"].to_list()
        assert [bytes(row) for row in file["obsm/digest"][...]] == frame["digest"].to_list()
        assert names(obs["group"]) == frame["group"].to_list()
        labels = names(obs["label"])
    np.testing.assert_array_equal(np.stack(frame["embedding"].to_list()), X)
    assert len(frame) == 30
    assert frame["label"].isna().sum() == 1
    assert [None if pd.isna(name) else name for name in frame["label"]] == labels


def test_arrow_knows_the_length_of_an_embedding_and_the_spec(extract):
    pq = pytest.importorskip("pyarrow.parquet")
    schema = pq.read_schema(extract("t.parquet"))
    assert schema.field("embedding").type.list_size == 12
    kept = json.loads(schema.metadata[b"headstart"])
    assert kept["classes"] == ["blue", "green", "red"]
    assert len(kept["columns"]) == 12


def test_anndata_reads_hdf5(extract):
    anndata = pytest.importorskip("anndata", reason="anndata is not installed")
    read = anndata.read_h5ad(extract("t.h5"))
    frame = pd.read_parquet(extract("t.parquet"))
    np.testing.assert_array_equal(read.X, np.stack(frame["embedding"].to_list()))
    assert read.obs_names.to_list() == frame["path"].to_list()
    assert read.obs["label"].isna().sum() == 1
    assert set(read.obs["split"]) == {"train"}
    assert len(set(read.var_names)) == 12
    assert [bytes(row) for row in read.obsm["digest"]] == frame["digest"].to_list()
    assert json.loads(read.uns["spec"])["backbone"] == "mobilenet"


def test_polars_reads_parquet(extract):
    polars = pytest.importorskip("polars", reason="polars is not installed")
    frame = polars.read_parquet(extract("t.parquet"))
    assert frame["embedding"].to_numpy().shape == (30, 12)
    assert frame["label"].null_count() == 1


def test_datasets_reads_parquet(extract, tmp_path):
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    read = datasets.Dataset.from_parquet(str(extract("t.parquet")), cache_dir=str(tmp_path / "hf"))
    assert np.shape(read.with_format("numpy")["embedding"]) == (30, 12)
    assert set(read["split"]) == {"train"}


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
