"""The options that ask for features again."""

from dataclasses import replace

from headstart.classify.fit.candidates import command_options
from headstart.extract.recipe import Recipe
from headstart.extract.source import feature_source


def test_options_ask_for_the_spec_again():
    asked = ["--layer", "conv_pw_5_relu", "--pooling", "max", "--resize", "pad"]
    recipe = Recipe(layers=("conv_pw_5_relu",), pooling="max", resize="pad")
    spec = feature_source(recipe).spec
    assert command_options(spec) == asked
    other = replace(spec, weights_sha256="1" * 64, storage="float16")
    assert command_options(other) == ["--weights", "FILE", *asked, "--storage", "float16"]
