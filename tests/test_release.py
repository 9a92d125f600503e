"""What a release says of itself, it says alike everywhere."""

import re
import tomllib
from pathlib import Path

import yaml

import headstart
from headstart.version import __version__

ROOT = Path(__file__).parents[1]


def test_the_version_is_the_same_everywhere_and_dated():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert project["version"] == citation["version"] == __version__
    assert f"\n## {__version__} – {citation['date-released']}\n" in changes


def test_the_container_is_short_and_installs_extras_that_there_are():
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 15
    (named,) = re.findall(r"/src\[([\w,]+)\]", "\n".join(lines))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(named.split(",")) <= set(project["optional-dependencies"])


def test_hosted_ci_runs_what_developers_run():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["ci"]["steps"][-1] == {"run": "bash .ci/run"}
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    check = (ROOT / "Makefile").read_text(encoding="utf-8")
    for hook in hooks["repos"][0]["hooks"]:
        tool = hook["entry"].removeprefix(".venv/bin/").split()[0]
        assert f"$(BIN)/{tool}" in check


def test_the_smoke_test_runs_every_command():
    helped = re.findall(
        r"^## headstart (.+)$", (ROOT / "docs/help.md").read_text("utf-8"), re.MULTILINE
    )
    groups = {name.split()[0] for name in helped if " " in name}
    script = (ROOT / ".ci" / "smoke").read_text(encoding="utf-8")
    missing = [name for name in helped if name not in groups and f" {name}" not in script]
    assert missing == []


def test_the_site_has_every_page_and_every_public_name():
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md")}
    notebooks = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("examples/*.ipynb")}
    assert [name for name in sorted(pages | notebooks) if f": {name}\n" not in site] == []
    reference = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    names = set(headstart.__all__) - {"__version__"}
    assert [name for name in sorted(names) if f"::: headstart.{name}\n" not in reference] == []
