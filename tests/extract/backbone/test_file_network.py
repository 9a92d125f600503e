"""A network in a file is a backbone like any other, known by its hash."""

import json

import numpy as np
import onnx
import pytest

from headstart.cache import FeatureSpec
from headstart.errors import OptionError, WeightsError
from headstart.extract.backbone.backbones import backbone_of, describe_layers, find_backbone
from headstart.extract.backbone.preprocessing import Declared
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source
from networks import tiny_onnx

DECLARED = Declared(mean="0.5", std="0.25", scale="1/255", channels="rgb")


@pytest.fixture
def tiny(tmp_path):
    return tiny_onnx(tmp_path / "tiny.onnx")


def source_of(path, declared=DECLARED, **recipe):
    return feature_source(Recipe(str(path), declared=declared, **recipe), Execution())


def test_a_renamed_file_has_the_same_spec_and_an_edited_one_another(tiny, tmp_path):
    before = source_of(tiny).spec
    renamed = tiny.rename(tmp_path / "other.onnx")
    assert source_of(renamed, declared=None).spec == before
    assert source_of(tiny_onnx(tmp_path / "tiny.onnx", seed=1)).spec.id != before.id
    edited = onnx.load(renamed)
    edited.doc_string = "edited"
    onnx.save(edited, renamed)
    with pytest.raises(WeightsError, match="how to prepare pixels"):
        source_of(renamed, declared=None)


def test_what_is_declared_is_kept_and_part_of_the_spec(tiny):
    before = source_of(tiny).spec
    assert source_of(tiny, declared=None).spec == before
    other = source_of(tiny, declared=Declared(mean="0.4")).spec
    assert other.id != before.id
    assert json.loads(other.preprocessing)["std"] == [0.25] * 3


def test_a_spec_finds_its_network_and_its_own_preprocessing(tiny):
    spec = source_of(tiny).spec
    source_of(tiny, declared=Declared(mean="0.1", crop="0.5"))
    row = backbone_of(spec)
    assert (row.file, row.preprocessing) == (tiny.absolute(), spec.preprocessing)
    assert row.rule == spec.resize == "crop"


def test_the_way_back_from_a_spec_needs_nothing_kept(tiny, tmp_path, monkeypatch):
    made = source_of(tiny, resize="squash", pooling="max", layers=("maps",))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    moved = tiny.rename(tmp_path / "moved.onnx")
    assert feature_source(Recipe.of(made.spec, str(moved))).spec == made.spec


def test_a_file_that_is_gone_or_another_is_one_line(tiny, tmp_path):
    spec = source_of(tiny).spec
    other = tiny_onnx(tmp_path / "other.onnx", seed=1)
    with pytest.raises(WeightsError, match=r"other\.onnx is onnx-.*is needed: .*--backbone-file"):
        feature_source(Recipe.of(spec, str(other)))
    tiny.unlink()
    with pytest.raises(WeightsError, match=r"once .*tiny\.onnx, is gone: name it with"):
        feature_source(Recipe.of(spec, str(tiny)))
    with pytest.raises(WeightsError, match="no backbone file"):
        find_backbone(str(tiny))


def test_a_size_that_is_free_has_to_be_said_once(tmp_path):
    path = tiny_onnx(tmp_path / "free.onnx", side=None)
    with pytest.raises(WeightsError, match="takes images of any size: add --input-size"):
        source_of(path)
    assert source_of(path, input_size=64).spec.input_size == (64, 64)
    assert source_of(path, declared=None).spec.input_size == (64, 64)
    assert source_of(path, declared=None, input_size=48).spec.input_size == (48, 48)


def test_a_fixed_size_is_not_another(tiny):
    with pytest.raises(WeightsError, match="takes images of 32 x 32 pixels, not 64"):
        source_of(tiny, input_size=64)


def test_the_tables_rows_take_no_other_preprocessing():
    with pytest.raises(OptionError, match="mobilenet has its own preprocessing"):
        feature_source(Recipe(declared=DECLARED))
    with pytest.raises(OptionError, match="brings its own, leave --weights out"):
        find_backbone("x.onnx", "weights.h5")


def test_an_onnx_file_does_not_run_on_tensorflow(tiny):
    assert source_of(tiny).plan.engine == "onnxruntime"
    for options in ({"engine": "tensorflow"}, {}):
        recipe = Recipe(str(tiny), declared=DECLARED, precision="float32" if options else "float16")
        with pytest.raises(
            OptionError, match="runs on ONNX Runtime in float32 or int8 and on OpenVINO"
        ):
            feature_source(recipe, Execution(**options))


def test_its_layers_are_listed_without_preprocessing(tiny):
    assert {"name": "tokens", "kind": "Transpose", "shape": [64, 6]} in describe_layers(str(tiny))


def test_a_bytes_network_needs_nothing_declared(tmp_path):
    path = tiny_onnx(tmp_path / "bytes.onnx", kind="uint8", first=False)
    spec: FeatureSpec = source_of(path, declared=None).spec
    assert np.all(np.array(json.loads(spec.preprocessing)["std"]) == 1)


def test_a_presets_folder_is_remembered_by_where_it_lies_and_a_name_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vit").mkdir()
    assert Recipe("kerashub:vit").named_weights == f"kerashub:{tmp_path / 'vit'}"
    assert Recipe("kerashub:dinov2_small").named_weights == "kerashub:dinov2_small"
