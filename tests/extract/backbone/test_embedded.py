"""A backbone inside the model's file labels elsewhere without the file that it came from."""

import pytest

from headstart.classify.fit.fit_heads import HeadSettings, fit_heads
from headstart.classify.predict.model_source import source_of
from headstart.classify.saved.load import load_model
from headstart.errors import ModelError, WeightsError
from headstart.extract.backbone.embedded import part_of
from headstart.extract.backbone.preprocessing import Declared
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from networks import tiny_onnx

DECLARED = Declared(mean="0.5", std="0.25", scale="1/255", channels="rgb")


@pytest.fixture
def fit(photographs, tmp_path):
    """Fit a head on a small network's features; return the network's file and the model's."""

    def run(**options):
        path = tiny_onnx(tmp_path / "tiny.onnx")
        source = feature_source(
            Recipe(str(path), declared=DECLARED), Execution(cache=tmp_path / "cache")
        )
        out = tmp_path / "m.headstart"
        fit_heads(read_dataset(photographs), source, HeadSettings(), out, **options)
        return path, out

    return run


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Go to another machine: nothing is kept there."""
    return lambda: monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))


def test_an_embedded_backbone_needs_no_file(fit, elsewhere):
    path, out = fit(embed=True)
    path.unlink()
    elsewhere()
    for to_label in (False, True):
        model = load_model(out, to_label=to_label)
        assert source_of(model, Execution()).spec == model.spec


def test_without_it_the_file_is_named_by_its_hash_and_found_where_one_says(
    fit, elsewhere, tmp_path
):
    path, out = fit()
    moved = path.rename(tmp_path / "moved.onnx")
    elsewhere()
    with pytest.raises(WeightsError, match=r"onnx-\w{12}, once .*tiny\.onnx, is gone"):
        source_of(load_model(out), Execution())
    model = load_model(out, weights=moved)
    assert source_of(model, Execution()).spec == model.spec


def test_more_than_one_file_is_refused_before_anything_is_extracted(fit, tmp_path):
    path, _ = fit()
    sha256 = feature_source(Recipe(str(path)), Execution(cache=tmp_path)).spec.weights_sha256
    assert part_of(path, sha256).keys() == {"backbone.onnx"}
    with pytest.raises(ModelError, match=r"--embed: .* is more than one file"):
        part_of(path.parent, sha256)
