"""ONNX files are read and checked; what could do harm is one line, and nothing runs."""

import math

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper

from headstart.errors import OptionError, WeightsError
from headstart.extract.backbone import onnx_file
from headstart.extract.backbone.onnx_file import build, digest, read_facts, read_onnx
from networks import tiny_onnx


def test_what_can_be_tapped_is_listed_with_its_shape(tmp_path):
    facts = read_facts(tiny_onnx(tmp_path / "tiny.onnx"), None)
    shapes = {row["name"]: row["shape"] for row in facts.layers}
    assert shapes["maps"] == [6, 8, 8]
    assert shapes["tokens"] == [64, 6]
    assert shapes["vector"] == [6]
    assert (facts.layer, facts.side, facts.raw) == ("maps", 32, False)


def test_cost_is_counted_from_the_graph(tmp_path):
    facts = read_facts(tiny_onnx(tmp_path / "tiny.onnx"), None)
    assert math.isclose(facts.multiply_adds * 1e9, 6 * 8 * 8 * 3 * 4 * 4)
    assert math.isclose(facts.parameters * 1e6, 6 * 3 * 4 * 4 + 3)


def test_a_free_size_is_known_once_it_is_said(tmp_path):
    path = tiny_onnx(tmp_path / "tiny.onnx", side=None)
    assert read_facts(path, None).side is None
    shapes = {row["name"]: row["shape"] for row in read_facts(path, 64).layers}
    assert shapes["maps"] == [6, 16, 16]


def test_a_node_is_found_by_its_name_and_by_its_output(tmp_path):
    network = read_onnx(path := tiny_onnx(tmp_path / "tiny.onnx"))
    assert network.output("activation", path) == network.output("maps", path) == "maps"
    with pytest.raises(OptionError, match=r"no output or node 'nose' in .*extract list"):
        network.output("nose", path)


def test_it_has_no_keras_graph(tmp_path):
    path = tiny_onnx(tmp_path / "tiny.onnx")
    with pytest.raises(
        OptionError, match=r"no Keras graph, heads on its features are what is possible"
    ):
        build(path, 32)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"inputs": ("image", "mask")}, r"it has 2 inputs \(image, mask\), expected one"),
        ({"inputs": ()}, r"it has 0 inputs \(none\), expected one: the image"),
        ({"domain": "com.acme"}, r"operator com\.acme\.Relu is not ONNX's own"),
    ],
)
def test_a_hostile_file_is_one_line_and_nothing_runs(options, why, tmp_path, monkeypatch):
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "InferenceSession", None)
    path = tiny_onnx(tmp_path / "tiny.onnx", **options)
    with pytest.raises(WeightsError, match=why) as raised:
        read_onnx(path)
    assert "\n" not in str(raised.value)


def test_an_input_that_is_no_image_is_one_line(tmp_path):
    model = onnx.load(tiny_onnx(tmp_path / "tiny.onnx"))
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5
    onnx.save(model, tmp_path / "five.onnx")
    with pytest.raises(WeightsError, match=r"its input 'image' \['\?', 5, 32, 32\] is no image"):
        read_onnx(tmp_path / "five.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 3
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    onnx.save(model, tmp_path / "tokens.onnx")
    with pytest.raises(WeightsError, match="takes no pixels: expected float32, uint8"):
        read_onnx(tmp_path / "tokens.onnx")


def test_weights_of_3_gigabytes_are_one_line(tmp_path):
    model = onnx.load(tiny_onnx(tmp_path / "tiny.onnx"))
    model.graph.initializer[0].dims[:] = [1 << 28, 3]
    onnx.save(model, tmp_path / "large.onnx")
    with pytest.raises(WeightsError, match=r"its weights 'kernel' claim 3\.2 GB, 2 is the most"):
        read_onnx(tmp_path / "large.onnx")


def test_what_is_no_onnx_file_is_one_line(tmp_path):
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(WeightsError, match=r"text\.onnx cannot be a backbone"):
        read_onnx(tmp_path / "text.onnx")


@pytest.fixture
def outside(tmp_path):
    """A file whose weights lie beside it."""
    model = onnx.load(tiny_onnx(tmp_path / "tiny.onnx"))
    external_data_helper.convert_model_to_external_data(
        model, location="weights.bin", size_threshold=0
    )
    onnx.save(model, tmp_path / "outside.onnx")
    return tmp_path / "outside.onnx"


def test_weights_beside_the_file_count_for_its_hash(outside):
    before = digest(outside)
    data = bytearray(outside.with_name("weights.bin").read_bytes())
    data[100] ^= 1
    outside.with_name("weights.bin").write_bytes(data)
    assert digest(outside) != before
    kernel = onnx_file.with_weights(outside).graph.initializer[0]
    assert np.isfinite(onnx.numpy_helper.to_array(kernel)).any()


@pytest.mark.parametrize("place", ["../secret", "/etc/passwd", "link"])
def test_weights_outside_the_folder_are_one_line(outside, place, tmp_path):
    (tmp_path / "link").symlink_to("/etc/passwd")
    model = onnx.load(outside, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        entry.value = place if entry.key == "location" else entry.value
    onnx.save(model, outside)
    with pytest.raises(WeightsError, match=f"lie in '{place}', outside its own folder"):
        read_onnx(outside)


def test_weights_that_end_too_early_are_one_line(outside):
    outside.with_name("weights.bin").write_bytes(b"short")
    with pytest.raises(WeightsError, match=r"reach beyond the end of weights\.bin"):
        read_onnx(outside)
