"""One table of shared options: a row is all that an option takes."""

from dataclasses import fields

import pytest
import typer
from typer.testing import CliRunner

from headstart.commands.options import (
    ALL,
    BACKBONES,
    FEATURES,
    GROUPS,
    MACHINE,
    OPTIONS,
    RUNNING,
    SharedOption,
    takes,
)
from headstart.errors import OptionError
from headstart.extract.recipe import Execution, Recipe

FILLED = {"recipe": Recipe, "execution": Execution}


def asked(group, *arguments, options=OPTIONS):
    """Run a command of the group; return the result and what it got."""
    app, got = typer.Typer(), []

    @app.command()
    @takes(group, options)
    def command(data: str, *, execution: object, recipe: object = None) -> None:
        got.extend([data, recipe, execution])

    @app.command()
    @takes(group, options)
    def of_a_model(*, weights: object, execution: object) -> None:
        got.extend([weights, execution])

    @app.command()
    @takes(group, options)
    def of_several(*, recipes: object, execution: object) -> None:
        got.extend([recipes, execution])

    name = {FEATURES: "command", BACKBONES: "of-several"}.get(group, "of-a-model")
    data = ["photographs"] if name == "command" else []
    return CliRunner().invoke(
        app, [name, *data, *arguments], env={"COLUMNS": "200", "HEADSTART_CACHE": None}
    ), got


def test_a_new_row_is_shown_in_help_and_arrives_in_the_field_that_it_fills():
    row = SharedOption("threads", int, 3, "How many hands.", "execution.workers", ALL, least=1)
    others = [known for known in OPTIONS if known.name != "workers"]
    for group in GROUPS:
        told, _ = asked(group, "--help", options=[*others, row])
        assert "--threads" in told.output
        assert "How many hands." in told.output
        result, got = asked(group, "--threads", "7", options=[*others, row])
        assert result.exit_code == 0, result.output
        assert got[-1] == Execution(workers=7)
        assert asked(group, "--threads", "0", options=[*others, row])[0].exit_code == 2


@pytest.mark.parametrize("row", OPTIONS, ids=lambda row: row.name)
def test_each_row_fills_a_field_and_both_have_one_default(row):
    owner, name = row.fills.split(".")
    (field,) = (field for field in fields(FILLED[owner]) if field.name == name)
    assert row.default in (None, field.default)


def test_each_field_has_one_row():
    places = [f"{owner}.{field.name}" for owner in FILLED for field in fields(FILLED[owner])]
    assert sorted(row.fills for row in OPTIONS) == sorted(places)


def test_what_nobody_types_is_the_default():
    assert asked(FEATURES)[1] == ["photographs", Recipe(), Execution()]
    assert asked(BACKBONES)[1] == [[Recipe()], Execution()]
    assert asked(RUNNING)[1] == asked(MACHINE)[1] == [None, Execution()]


def test_layers_are_repeated_and_weights_are_the_models():
    _, (_, recipe, _) = asked(FEATURES, "--layer", "a", "--layer", "b", "--pooling", "max")
    assert recipe == Recipe(layers=("a", "b"), pooling="max")
    assert asked(MACHINE, "--weights", "w.h5")[1] == ["w.h5", Execution()]


def test_several_backbones_share_everything_but_their_weights():
    pairs = ("--backbone", "vgg16", "--weights", "w.h5", "--backbone", "mobilenet", "--weights")
    _, (recipes, _) = asked(BACKBONES, *pairs, "imagenet", "--resize", "pad")
    assert recipes == [Recipe("vgg16", "w.h5", resize="pad"), Recipe(resize="pad")]
    result, _ = asked(BACKBONES, "--backbone", "vgg16", "--weights", "a", "--weights", "b")
    assert isinstance(result.exception, OptionError)
    assert "2 --weights for 1 --backbone" in str(result.exception)


def test_a_model_on_this_machine_alone_takes_no_clusters_options():
    assert "--backend" in asked(RUNNING, "--help")[0].output
    assert "--backend" not in asked(MACHINE, "--help")[0].output
