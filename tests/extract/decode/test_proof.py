"""A machine that decodes otherwise is refused before it fills a cache."""

import io

import pytest
from PIL import Image

from headstart.errors import EngineError
from headstart.extract.decode import proof


def test_this_machine_decodes_as_recipe_one_does():
    proof.compare(proof.PHOTOGRAPHS)


def test_a_tall_and_a_wide_photograph_are_shrunk_both_ways():
    sizes = [Image.open(io.BytesIO(data)).size for data, _ in proof.PHOTOGRAPHS]
    assert sizes == [(32, 256), (256, 32)]


def test_one_other_pixel_is_told_with_the_remedy():
    (data, digest), wide = proof.PHOTOGRAPHS
    with pytest.raises(EngineError, match=r"other pixels.*pip install 'pillow>=13'"):
        proof.compare(((data, digest[::-1]), wide))
