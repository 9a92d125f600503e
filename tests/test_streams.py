"""Standard streams that are closed or full: one line and status 1, never a traceback."""

import os
import subprocess
import sys

import pytest

COMMANDS = [
    ("--version",),
    ("--help",),
    ("extract", "list"),
    ("extract", "list", "--json"),
    ("cache", "info"),
    ("cache", "info", "--json"),
]


@pytest.fixture
def run(tmp_path):
    """Run the command line in a shell of its own; the redirections are the shell's."""

    def go(arguments, redirections):
        script = f'exec "$@" {redirections}'
        done = subprocess.run(
            ["sh", "-c", script, "sh", sys.executable, "-m", "headstart", *map(str, arguments)],
            env={**os.environ, "HEADSTART_CACHE": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return go


@pytest.mark.parametrize("arguments", COMMANDS)
@pytest.mark.parametrize(
    ("redirections", "line"),
    [
        (">&-", "error: standard output is closed, and results go there"),
        (">/dev/full", "error: cannot write to standard output: No space left on device"),
    ],
)
def test_results_that_cannot_be_printed_are_an_error_of_one_line(
    run, arguments, redirections, line
):
    status, _, err = run(arguments, redirections)
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith(line)


@pytest.mark.parametrize("redirections", ["2>&-", "2>/dev/full"])
def test_results_are_printed_though_nobody_hears_of_progress(run, photographs, redirections):
    status, out, _ = run(("extract", "features", photographs, "--json"), redirections)
    assert (status, out[:1], out[-2:]) == (0, "{", "}\n")


@pytest.mark.parametrize("redirections", ["2>&-", "2>/dev/full", ">&- 2>&-", ">/dev/full 2>&-"])
def test_an_error_that_nobody_hears_is_told_by_the_status(run, redirections):
    assert run(("inspect", "/nowhere"), redirections) == (1, "", "")


def test_standard_input_that_is_closed_is_an_empty_list(run, trained, tmp_path):
    status, out, err = run(("predict", trained()[0], "-"), "<&-")
    assert (status, out) == (1, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert run(("extract", "list"), "<&-")[0] == 0


@pytest.mark.parametrize("arguments", [("--version",), ("extract", "--help")])
def test_what_is_asked_first_needs_no_command(run, arguments):
    status, out, err = run(arguments, "")
    assert (status, err) == (0, "")
    assert "headstart" in out
