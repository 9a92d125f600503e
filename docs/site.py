"""What MkDocs is told beside ``mkdocs.yml`` (``make site``): where pages and docstrings lie.

The pages are the repository's own, under the names that they have there, so that a link which
works for its reader works on the site, and a broken one ends the build.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
CODE = ROOT / ".site"  # the package under its own name, which the repository's folder has not
SOURCES = (
    *("*.md", "docs/*.md", "docs/*.png", "examples/*.ipynb", "cache/FORMAT.md"),
    *("benchmarks/results/*.json", "classify/compare/results.schema.json"),
    "extract/weights/NOTICE.md",
)
ROLE = re.compile(r":\w+:`~?([\w.]+)`")  # Sphinx's, in docstrings


def on_startup(command: str, dirty: bool) -> None:
    """Copy the package to where mkdocstrings finds it."""
    del command, dirty
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for package in project["tool"]["setuptools"]["packages"]:
        copied = CODE.joinpath(*package.split("."))
        copied.mkdir(parents=True, exist_ok=True)
        for path in ROOT.joinpath(*package.split(".")[1:]).glob("*.py"):
            text = path.read_text(encoding="utf-8")
            (copied / path.name).write_text(ROLE.sub(r"`\1`", text), encoding="utf-8")


@event_priority(100)  # before mkdocs-jupyter looks for notebooks
def on_files(files: Files, config: Any) -> Files:
    """Return the pages of the repository, and what the theme brings."""
    theme = [file for file in files if file.src_dir != config.docs_dir]
    paths = sorted(path for pattern in SOURCES for path in ROOT.glob(pattern))
    names = [path.relative_to(ROOT).as_posix() for path in paths]
    pages = [File(name, str(ROOT), config.site_dir, config.use_directory_urls) for name in names]
    return Files([*theme, *pages])
