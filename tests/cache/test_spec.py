"""The feature spec: what is written is what is read, and every part of it counts."""

import json
import re
from dataclasses import asdict, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.cache import FeatureSpec

SPECS = st.builds(
    FeatureSpec,
    backbone=st.text(max_size=12),
    weights_sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    layers=st.lists(st.text(max_size=8), min_size=1, max_size=3).map(tuple),
    pooling=st.sampled_from(["avg", "max", "avg+max", "flatten", "none"]),
    input_size=st.tuples(st.integers(1, 999), st.integers(1, 999)),
    resize=st.sampled_from(["squash", "crop", "pad"]),
    preprocessing=st.text(max_size=12),
    precision=st.sampled_from(["float32", "bfloat16", "float16", "int8"]),
    decoder=st.integers(1, 99),
    views=st.lists(st.sampled_from(["original", "flip", "crop1"]), min_size=1, unique=True).map(
        tuple
    ),
    storage=st.sampled_from(["float32", "float16"]),
    bit_depth=st.sampled_from([16, 12, 10]),
)


@given(SPECS)
def test_a_spec_comes_back_from_its_json_as_it_was(spec):
    again = FeatureSpec.from_json(spec.to_json())
    assert again == spec
    assert hash(again) == hash(spec)
    assert again.id == spec.id


@given(SPECS)
def test_the_json_is_canonical(spec):
    text = spec.to_json()
    assert text.isascii()
    younger = {"views": ("original",), "storage": "float32", "bit_depth": 16}
    left_out = {name for name, default in younger.items() if getattr(spec, name) == default}
    assert list(json.loads(text)) == sorted({field.name for field in fields(spec)} - left_out)
    assert re.fullmatch("[0-9a-f]{12}", spec.id)
    assert spec.folder == f"{spec.backbone}-{spec.id}"


@given(SPECS, SPECS)
def test_two_specs_share_an_id_only_when_they_are_equal(one, two):
    assert (one.id == two.id) == (one == two)


@given(SPECS, SPECS, st.sampled_from([field.name for field in fields(FeatureSpec)]))
def test_taking_over_one_other_value_gives_another_id(one, two, name):
    mixed = replace(one, **{name: getattr(two, name)})
    assert (mixed.id == one.id) == (getattr(one, name) == getattr(two, name))


def test_the_order_of_layers_counts():
    spec = FeatureSpec("fake", "0" * 64, ("a", "b"), "avg", (8, 8), "crop", "none", "float32", 1)
    assert replace(spec, layers=("b", "a")).id != spec.id


def test_the_id_of_a_known_spec_never_moves():
    spec = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 9), "crop", "none", "float32", 1)
    assert spec.to_json() == (
        '{"backbone":"fake","decoder":1,"input_size":[8,9],"layers":["top"],"pooling":"avg",'
        '"precision":"float32","preprocessing":"none","resize":"crop","weights_sha256":"'
        + "0" * 64
        + '"}'
    )
    assert spec.id == "de6f8dfc0aef"


def test_json_with_a_missing_or_an_unknown_key_is_refused():
    spec = FeatureSpec("fake", "0" * 64, ("top",), "avg", (8, 8), "crop", "none", "float32", 1)
    values = asdict(spec)
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        FeatureSpec.from_json(json.dumps({**values, "colour": "red"}))
    del values["decoder"]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'decoder'"):
        FeatureSpec.from_json(json.dumps(values))


def test_text_that_is_no_json_is_refused():
    with pytest.raises(ValueError, match="Expecting value"):
        FeatureSpec.from_json("spec")
