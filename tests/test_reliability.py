"""``docs/reliability.md`` names tests; each of them exists."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PROMISES = TESTS.parent / "docs" / "reliability.md"
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", PROMISES.read_text())))


@pytest.mark.parametrize(("module", "name"), NAMED)
def test_a_test_that_a_promise_names_exists(module, name):
    tree = ast.parse((TESTS / module).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_row_of_every_table_names_a_test():
    rows = [line for line in PROMISES.read_text().splitlines() if line.startswith("| ")]
    bare = [
        row for row in rows if "::" not in row and row[2:].split(" |")[0] not in ("promise", "---")
    ]
    assert not bare
    assert len(rows) > 40
