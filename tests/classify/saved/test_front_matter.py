"""The card's metadata: YAML that any reader reads back to the same document."""

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from headstart.classify.saved.front_matter import (
    HUB_LICENCES,
    licence_fields,
    metadata,
    to_yaml,
)

TEXTS = st.text(max_size=12) | st.sampled_from(
    [
        "no",
        "Yes",
        "null",
        "~",
        "",
        "-",
        "1e-5",
        "1_0",
        "0x1f",
        ".inf",
        "a: b",
        "- x",
        "#x",
        "é\u2028",
    ]
)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = TEXTS | NUMBERS | st.booleans() | st.none()
DOCUMENTS = st.dictionaries(
    TEXTS,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    ),
    max_size=4,
)


@given(DOCUMENTS)
def test_yaml_reads_back_to_the_same_document(document):
    assert yaml.safe_load(to_yaml(document)) == document


@pytest.mark.parametrize("value", [1e-05, 1e300, 5e-324, 0.1, -0.0])
def test_floats_stay_numbers(value):
    read = yaml.safe_load(to_yaml({"value": value}))["value"]
    assert isinstance(read, float)
    assert read == value


def test_a_backbone_whose_checkpoint_is_not_on_the_hub_names_none():
    figure = {"value": 0.5, "ci95": [0.4, 0.6]}
    card = {
        "license": None,
        "name": "m",
        "backbone": {"name": "vgg16", "base_model": None},
        "evaluation": {
            "figures": dict.fromkeys(("accuracy", "macro_f1", "log_loss", "ece"), figure)
        },
        "data": {"name": "d", "split": "test"},
    }
    told = metadata(card)
    assert "base_model" not in told
    (metric, *_) = told["model-index"][0]["results"][0]["metrics"]
    assert metric["name"] == "accuracy (95 % interval 0.4000 to 0.6000)"


@pytest.mark.parametrize(
    ("licence", "fields"),
    [
        ("MIT", {"license": "mit"}),
        ("Acme (internal)", {"license": "other", "license_name": "acme-internal"}),
        (None, {"license": "other", "license_name": "not-chosen-yet"}),
    ],
)
def test_a_licence_is_one_of_the_hubs_or_other_with_its_name(licence, fields):
    told = licence_fields(licence)
    assert fields.items() <= told.items()
    # The Hub's own rules: a name of its list, and for "other" a name in its alphabet.
    assert told["license"] in HUB_LICENCES | {"other"}
    if told["license"] == "other":
        assert re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", told["license_name"])
