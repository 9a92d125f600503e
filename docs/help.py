"""Write ``docs/help.md``: the help of every command, as one page (``make docs``).

Plain text in 88 columns, whatever the terminal, so that the page is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from headstart.cli import app

PAGE = Path(__file__).with_name("help.md")
COLUMNS = 88
INTRODUCTION = """\
# Commands

What `--help` says of every command. This page is generated: `make docs` writes it anew.
"""


def commands(command: Any = None, parent: Any = None) -> Iterator[Any]:
    """Yield the context of the whole program, then of each group and command below it, in order."""
    command = command or typer.main.get_command(app)
    command.rich_markup_mode = None  # plain text: no boxes, no colours
    name = command.name if parent is not None else "headstart"
    context = command.context_class(
        command, info_name=name, parent=parent, max_content_width=COLUMNS, terminal_width=COLUMNS
    )
    yield context
    for inner in getattr(command, "commands", {}).values():
        yield from commands(inner, context)


def page() -> str:
    """Return the page, Markdown."""
    sections = [
        f"## {context.command_path}\n\n```text\n{context.command.get_help(context).rstrip()}\n```\n"
        for context in commands()
    ]
    return "\n".join([INTRODUCTION, *sections])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
