"""Benchmarks run seldom: what they take from headstart is there all the same."""

import ast
import importlib
from pathlib import Path

import pytest

BENCHMARKS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


def taken(path):
    """Yield (module, name) of all that a file imports from headstart."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("headstart"):
            yield from ((node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_what_a_benchmark_imports_is_there(path):
    for module, name in taken(path):
        holder = importlib.import_module(module)
        if not hasattr(holder, name):
            importlib.import_module(f"{module}.{name}")
