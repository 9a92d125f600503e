"""One table of shared options: a row is all that an option takes."""

from dataclasses import fields

import pytest
import typer
from typer.testing import CliRunner

from headstart import compare
from headstart.api.options import execution_of, recipe_of
from headstart.commands.options import (
    ALL,
    BACKBONES,
    FEATURES,
    MACHINE,
    OPTIONS,
    RUNNING,
    SharedOption,
    takes,
)
from headstart.errors import OptionError
from headstart.extract.recipe import Execution, Recipe

FIELDS = {field.name: field for kind in (Recipe, Execution) for field in fields(kind)}


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
    assert sorted(row.fills for row in OPTIONS) == sorted(FIELDS)


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


def test_a_model_on_this_machine_alone_takes_no_clusters_options():
    assert "--backend" in asked(RUNNING, "--help")[0].output
    assert "--backend" not in asked(MACHINE, "--help")[0].output
