"""Every example in the documentation of the package runs."""

import doctest
import importlib
import pkgutil

import pytest

import headstart

SUBPACKAGES = ("cache", "classify", "extract")
MODULES = [
    module.name
    for module in pkgutil.walk_packages(headstart.__path__, "headstart.")
    if module.name.split(".")[1] in SUBPACKAGES or module.name.count(".") == 1
]

EXTRAS = {  # modules that need one → what it brings, and its name
    "headstart.classify.serve": ("fastapi", "serve"),
    "headstart.storage": ("fsspec", "cloud"),
}


@pytest.mark.parametrize("name", sorted(set(MODULES) - {"headstart.__main__", "headstart.tests"}))
def test_examples_run(name):
    for prefix, (package, extra) in EXTRAS.items():
        if name.startswith(prefix):
            pytest.importorskip(package, reason=f"headstart[{extra}] is not installed")
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_the_packages_are_found():
    assert {"headstart.cache.store", "headstart.extract.decode.decode", "headstart.cli"} <= set(
        MODULES
    )
