"""The one environment: names are text, style and script are allowed by their hashes alone."""

import base64
import hashlib
import re

import pytest

from headstart.classify.pages.html import environment, fill, make_page, source

PAGES = ("compare/report/page", "doctor/page", "explain/page", "serve/page", "serve/docs")
VALUES = {
    "dataset": "<i>",
    "found": None,
    "model": "<script>",
    "method": "",
    "why": "",
    "cards": [],
}


def explained(**options):
    values = {**VALUES, "legend": "", "failures": [], "remarks": ["caf\udce9"]}
    return make_page("explain/page.html.j2", values, **options)


def allowed(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_the_pages_own_style_and_script_alone():
    page = explained(style="p { color: red }", script="go()")
    style, script = (
        re.search(rf"<{tag}>(.*?)</{tag}>", page.text, re.DOTALL)[1] for tag in ("style", "script")
    )
    assert style == source("pages/base.css") + "p { color: red }"
    assert script == "go()"
    assert f"style-src {allowed(style)}; script-src {allowed(script)}" in page.policy
    assert f'Content-Security-Policy" content="{page.policy}"' in page.text
    assert page.policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in page.policy


def test_without_a_script_none_is_allowed():
    page = explained()
    assert "<script" not in page.text
    assert "script-src" not in page.policy


def test_a_policy_that_only_a_header_can_hold_is_left_to_it():
    page = explained(rules={"frame-ancestors": "'none'", "img-src": "blob:"})
    assert "Content-Security-Policy" not in page.text
    assert "img-src blob:" in page.policy
    assert "img-src data:" not in page.policy


def test_names_are_text_and_what_is_not_utf_8_is_written_out():
    text = explained().text
    assert "&lt;script&gt;" in text
    assert r"caf\udce9" in text


def test_markdown_is_escaped_by_its_filter():
    assert environment().filters["text"]("a|b_<c>") == r"a\|b\_\<c\>"


@pytest.mark.parametrize("name", PAGES)
def test_each_page_stands_on_the_shared_base(name):
    assert source(f"{name}.html.j2").startswith('{% extends "pages/base.html.j2" %}')


def test_a_value_that_is_missing_is_an_error():
    import jinja2

    with pytest.raises(jinja2.UndefinedError, match="'policy' is undefined"):
        fill("explain/page.html.j2", VALUES)
