"""The house's own rules, beyond ruff's and import-linter's: rooms, files and functions stay small."""

import ast
import re
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]

MODULES = 16  # of a folder; commands/ and api/ have one for each command
LINES = 350  # of a module
BODY = 60  # of a function: its docstring aside, and its signature where typer reads it

TABLES = {"commands/options.py": "a row for each option that commands share"}  # may have more


def modules():
    """Yield each module of the product: its name from the root on, and its text."""
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"][
        "packages"
    ]
    for package in packages:
        folder = ROOT.joinpath(*package.split(".")[1:])
        for path in sorted(folder.glob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def body_lines(function, *, with_signature):
    """Count a function's lines without its docstring."""
    first = function.body[0]
    documented = ast.get_docstring(function, clean=False) is not None
    docstring = first.end_lineno - first.lineno + 1 if documented else 0
    begin = function.lineno if with_signature else first.lineno
    return function.end_lineno - begin + 1 - docstring


def long_functions():
    for name, text in modules():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = body_lines(node, with_signature=not name.startswith("commands/"))
                if lines > BODY:
                    yield f"{name}::{node.name}", lines


def long_modules():
    for name, text in modules():
        lines = len(text.splitlines())
        if lines > LINES and name not in TABLES:
            yield name, lines


def test_a_room_has_at_most_16_modules():
    rooms = Counter(str(Path(name).parent) for name, _ in modules())
    assert {room for room, count in rooms.items() if count > MODULES} <= {"api", "commands"}


def test_modules_and_functions_fit_a_head_and_a_screen():
    assert [*long_modules(), *long_functions()] == []


def test_the_counts_are_right():
    function = ast.parse(
        'def f(\n    x,\n):\n    """Say.\n\n    More.\n    """\n    return x\n'
    ).body[0]
    assert body_lines(function, with_signature=True) == 4
    assert body_lines(function, with_signature=False) == 1


def test_the_map_names_rooms_and_modules_that_are_there():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:\w+/)+(?:\w+\.\w+)?)`", page))
    assert len(named) > 50
    roots = (ROOT, ROOT / "classify", ROOT / "classify" / "compare", ROOT / "extract")
    missing = [name for name in named if not any((root / name).exists() for root in roots)]
    assert missing == []


def test_every_room_is_on_the_map():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {Path(name).parent.name for name, _ in modules()} - {"", "weights"}
    assert {room for room in rooms if f"{room}/" not in page and f"`{room}" not in page} == set()
