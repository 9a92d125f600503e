"""docs/help.md says what --help says, and each command's example is one that parses."""

import importlib.util
import inspect
import shlex
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HELP = load(DOCS / "help.py")
COMMANDS = {
    context.command_path: context.command
    for context in HELP.commands()
    if not hasattr(context.command, "commands")
}


def test_the_page_of_commands_is_what_help_says_now():
    written = HELP.PAGE.read_text(encoding="utf-8")
    assert written == HELP.page(), "docs/help.md is not what --help says: run 'make docs'"


def test_the_page_does_not_hang_on_terminal_or_environment(monkeypatch):
    before = HELP.page()
    for name, value in {
        "COLUMNS": "40",
        "TERMINAL_WIDTH": "40",
        "FORCE_COLOR": "1",
        "HEADSTART_CACHE": "elsewhere",
    }.items():
        monkeypatch.setenv(name, value)
    assert HELP.page() == before


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_ends_its_help_with_an_example_that_parses(path):
    last = inspect.cleandoc(COMMANDS[path].help).split("\n\n")[-1]
    label, _, line = " ".join(last.split()).partition(" ")
    assert label == "Example:", (
        f"the help of '{path}' ends with {last!r}, not with an Example: line"
    )
    assert f"{line} ".startswith(f"{path} "), f"the example of '{path}' runs another command"
    arguments = shlex.split(line.removeprefix(path), comments=True)
    context = COMMANDS[path].make_context(path, arguments)
    assert not context.args
