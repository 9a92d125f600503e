"""Every example in the documentation of the package runs."""

import doctest
import importlib
import pkgutil

import pytest

import headstart
from fakes import pretended_network
from headstart.classify.compare import approaches
from pictures import paint_photographs

SUBPACKAGES = ("api", "cache", "classify", "extract")
MODULES = [
    module.name
    for module in pkgutil.walk_packages(headstart.__path__, "headstart.")
    if module.name.split(".")[1] in SUBPACKAGES or module.name.count(".") == 1
]
# Modules whose examples name `photographs` and a classifier of them.
DESK = ("headstart.api.", "headstart.classify.predict.classifier")
SLOW = {"headstart.api.fit_finetune"}  # a network is trained

EXTRAS = {  # modules that need one → what it brings, and its name
    "headstart.classify.serve": ("fastapi", "serve"),
    "headstart.storage": ("fsspec", "cloud"),
}


@pytest.fixture
def photographs_here(tmp_path, monkeypatch):
    """A folder with `photographs` of three colours."""
    monkeypatch.chdir(tmp_path)
    return paint_photographs(tmp_path / "photographs")


@pytest.fixture
def desk(photographs_here, monkeypatch, fake_engine):
    """A classifier of them beside them, and fake engines and networks."""
    del fake_engine  # it is in place
    network = pretended_network()
    monkeypatch.setattr(approaches, "finetune_approach", lambda _, source: network(source))
    headstart.fit_head(photographs_here, out="photographs.headstart")


def run(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


@pytest.mark.parametrize(
    "name",
    sorted({name for name in MODULES if not name.startswith(DESK)} - {"headstart.__main__"}),
)
def test_examples_run(name):
    for prefix, (package, extra) in EXTRAS.items():
        if name.startswith(prefix):
            pytest.importorskip(package, reason=f"headstart[{extra}] is not installed")
    run(name)


@pytest.mark.parametrize("name", sorted({name for name in MODULES if name.startswith(DESK)} - SLOW))
@pytest.mark.usefixtures("desk")
def test_examples_on_photographs_run(name):
    run(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SLOW))
@pytest.mark.usefixtures("photographs_here")
def test_examples_that_train_a_network_run(name):
    run(name)


def test_the_packages_are_found():
    assert {"headstart.cache.store", "headstart.extract.decode.decode", "headstart.cli"} <= set(
        MODULES
    )
