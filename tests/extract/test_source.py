"""From a recipe to a source: its engine is made in one place, and kept where that is asked."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from fakes import engines_made_by
from headstart.errors import OptionError
from headstart.extract.backbone.backbones import PIXELS
from headstart.extract.engine.engine import PixelEngine
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source


@pytest.fixture
def source(tmp_path):
    return feature_source(execution=Execution(cache=tmp_path / "cache"))


def test_each_call_makes_an_engine_and_a_source_that_keeps_it_makes_one(source):
    made = []
    with engines_made_by(lambda wanted: made.append(wanted) or object()):
        assert source.engine() is not source.engine()
        kept = source.keeping_engine()
        assert kept.engine() is kept.engine()
        assert kept.keeping_engine() is kept
    assert len(made) == 3
    assert {wanted.spec for wanted in made} == {source.spec}


def test_threads_that_come_at_once_get_the_same_engine(source):
    kept = source.keeping_engine()
    with engines_made_by(lambda wanted: object()), ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: kept.engine(), range(32)))) == 1


def test_a_kept_engine_stays_where_it_is_and_another_spec_has_its_own(source):
    kept = source.keeping_engine()
    with engines_made_by(lambda wanted: lambda images: images):  # cannot be pickled
        engine = kept.engine()
        assert kept.tapping((PIXELS,), "none").engine() is not engine
        copy = pickle.loads(pickle.dumps(kept))
        assert copy == kept
        assert copy.keeps_engine
        assert copy.engine() is not engine


def test_pixels_need_no_network(source):
    assert isinstance(source.tapping((PIXELS,), "none").engine(), PixelEngine)


def test_a_spec_leads_back_to_the_recipe_it_was_computed_by():
    recipe = Recipe(layers=("conv_pw_5_relu",), pooling="max", views="original,flip")
    assert Recipe.of(feature_source(recipe).spec) == replace(recipe, bit_depth=16, input_size=224)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Recipe, {"pooling": "most"}, "unknown pooling 'most'"),
        (Recipe, {"storage": "int4"}, "unknown storage 'int4'"),
        (Execution, {"backend": "spark"}, "unknown backend 'spark'"),
        (Execution, {"workers": 0}, "must be at least 1"),
        (Execution, {"address": "tcp://x:1"}, "add --backend dask or --backend ray"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_asked_for(kind, fields, message):
    with pytest.raises(OptionError, match=message):
        kind(**fields)
