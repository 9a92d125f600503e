"""Comparisons on the coloured pictures: real heads, a network that is a head under another name."""

import pytest

from fakes import pretended_network
from headstart.classify.compare.compare import compare
from headstart.classify.compare.run_all import Procedure
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source


@pytest.fixture
def run(photographs, tmp_path, heard, fake_engine):
    """Compare; return the results and what was really run, not taken from the cache."""

    def again(*heads, network=None, **options):
        source = feature_source(execution=Execution(cache=tmp_path / "cache"))
        heard.stages.clear()
        comparison = compare(
            read_dataset(photographs),
            [source],
            heads or ("ridge", "knn"),
            [network or pretended_network()],
            Procedure(**options),
        )
        begun = [line for line in heard.stages if " left" in line]
        return comparison.results, [line.split(" ", 1)[1].split(",")[0] for line in begun]

    return again
