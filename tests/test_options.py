"""One table of shared options: a row is all that an option takes."""

from dataclasses import fields

import pytest
import typer
from typer.testing import CliRunner

from headstart import compare
from headstart.api.options import execution_of, networks, recipe_of
from headstart.commands.options import (
    ALL,
    BACKBONES,
    FEATURES,
    MACHINE,
    OPTIONS,
    RANKED,
    RUNNING,
    SharedOption,
    takes,
)
from headstart.errors import OptionError
from headstart.extract.backbone.preprocessing import Declared
from headstart.extract.recipe import Execution, Recipe

KINDS = (Recipe, Declared, Execution)
FIELDS = {field.name: field for kind in KINDS for field in fields(kind) if field.name != "declared"}


def asked(group, *arguments, options=OPTIONS):
    """Run a command of the group; return the result and what it got."""
    app, got = typer.Typer(), []

    @app.command()
    @takes(group, options)
    def command(data: str, *, options: object) -> None:
        got.extend([data, options])

    return CliRunner().invoke(
        app, ["photographs", *arguments], env={"COLUMNS": "200", "HEADSTART_CACHE": None}
    ), got


def test_a_new_row_is_shown_in_help_and_arrives_in_the_field_that_it_fills():
    row = SharedOption("threads", int, 3, "How many hands.", "workers", ALL, least=1)
    others = [known for known in OPTIONS if known.name != "workers"]
    for group in ALL:
        told, _ = asked(group, "--help", options=[*others, row])
        assert "--threads" in told.output
        assert "How many hands." in told.output
        result, got = asked(group, "--threads", "7", options=[*others, row])
        assert result.exit_code == 0, result.output
        assert got[-1] == {"workers": 7}
        assert asked(group, "--threads", "0", options=[*others, row])[0].exit_code == 2


@pytest.mark.parametrize("row", OPTIONS, ids=lambda row: row.name)
def test_each_row_fills_a_field_and_both_have_one_default(row):
    assert row.default in (None, FIELDS[row.fills].default)


def test_each_field_has_one_row():
    assert {row.fills for row in OPTIONS} == set(FIELDS)
    for group in (FEATURES, BACKBONES, RANKED):
        filled = [row.fills for row in OPTIONS if group in row.groups]
        assert len(filled) == len(set(filled))


def test_what_nobody_types_is_left_to_the_default():
    assert all(asked(group)[1] == ["photographs", {}] for group in ALL)


def test_layers_are_repeated_and_weights_are_the_models():
    options = asked(FEATURES, "--layer", "a", "--layer", "b", "--pooling", "max")[1][1]
    assert recipe_of(options) == Recipe(layers=("a", "b"), pooling="max")
    options = asked(MACHINE, "--weights", "w.h5", "--workers", "3")[1][1]
    assert options["weights"] == "w.h5"
    assert execution_of(options) == Execution(workers=3)


def test_several_backbones_share_everything_but_their_weights(photographs):
    pairs = ("--backbone", "vgg16", "--weights", "w.h5", "--backbone", "mobilenet", "--weights")
    options = asked(BACKBONES, *pairs, "imagenet", "--resize", "pad")[1][1]
    assert options == {
        "backbone": ("vgg16", "mobilenet"),
        "weights": ("w.h5", "imagenet"),
        "resize": "pad",
    }
    with pytest.raises(OptionError, match="2 --weights for 1 --backbone"):
        compare(photographs, backbone="vgg16", weights=("a", "b"))


def test_pooling_is_one_for_all_backbones_or_one_for_each():
    both = ("--backbone", "vgg16", "--backbone", "mobilenet", "--pooling", "max")
    assert asked(BACKBONES, *both, "--pooling", "avg")[1][1]["pooling"] == ("max", "avg")
    names = ("vgg16", "mobilenet")
    for pooling, made in (("max", ("max", "max")), (("max", "avg"), ("max", "avg"))):
        options = networks(names, (), {"pooling": pooling})
        assert [recipe_of(each) for each in options] == [
            Recipe(name, pooling=how) for name, how in zip(names, made, strict=True)
        ]
    with pytest.raises(OptionError, match="2 --pooling for 1 --backbone"):
        networks(("vgg16",), (), {"pooling": ("max", "avg")})


def test_a_backbone_alone_is_taken_in_each_precision():
    typed = ("--backbone", "vgg16", "--weights", "w.h5", "--precision", "float32")
    options = asked(RANKED, *typed, "--precision", "int8")[1][1]
    made = networks(options.pop("backbone"), options.pop("weights"), options)
    assert [recipe_of(each) for each in made] == [
        Recipe("vgg16", "w.h5", precision=precision) for precision in ("float32", "int8")
    ]
    with pytest.raises(OptionError, match="3 --precision for 2 --backbone"):
        networks(("vgg16", "mobilenet"), (), {"precision": ("float32", "int8", "bfloat16")})


def test_what_is_declared_goes_to_networks_in_files_alone():
    typed = ("--mean", "0.5", "--golden", "image.png", "features.npy")
    declared = Declared(mean="0.5", golden=("image.png", "features.npy"))
    options = asked(FEATURES, "--backbone", "x.onnx", *typed)[1][1]
    assert recipe_of(options) == Recipe("x.onnx", declared=declared)
    options = asked(BACKBONES, *typed)[1][1]
    recipes = [recipe_of(each) for each in networks(("x.onnx", "vgg16"), (), options)]
    assert recipes == [Recipe("x.onnx", declared=declared), Recipe("vgg16")]


def test_a_models_backbone_is_where_either_name_says():
    for name in ("--weights", "--backbone-file"):
        assert asked(MACHINE, name, "x.onnx")[1][1] == {"weights": "x.onnx"}


def test_a_model_on_this_machine_alone_takes_no_clusters_options():
    assert "--backend" in asked(RUNNING, "--help")[0].output
    assert "--backend" not in asked(MACHINE, "--help")[0].output
