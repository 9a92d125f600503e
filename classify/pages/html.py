"""Every page and card: one environment of templates, and a page that needs nothing else.

Style, script and pictures are inside a page, and its content security policy allows their
hashes and nothing more. Names are text, whatever they hold.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import DataError
from ...storage import replacing
from ...text import shown
from ...version import __version__
from .markdown import escaped

if TYPE_CHECKING:
    import jinja2

ROOMS = "headstart.classify"
POLICY = {
    "default-src": "'none'",
    "img-src": "data:",
    "base-uri": "'none'",
    "form-action": "'none'",
}


class Page(NamedTuple):
    """A page and its content security policy, which stands in it unless it is a header's."""

    text: str
    policy: str


def make_page(
    template: str,
    values: Mapping[str, Any],
    *,
    style: str = "",
    script: str = "",
    rules: Mapping[str, str] | None = None,
) -> Page:
    """Fill a template that extends ``pages/base.html.j2``.

    Parameters
    ----------
    template : str
        Its path below ``classify/``.
    values : mapping
        What it names.
    style, script : str
        Its own, after the style that pages share; see :func:`source`.
    rules : mapping, optional
        Of the policy, beside or instead of :data:`POLICY`. A page that a service answers with
        names ``frame-ancestors``, which holds in a header alone, so that its policy is left to
        one.
    """
    style = source("pages/base.css") + style
    policy = {**POLICY, "style-src": _hashed(style)}
    if script:
        policy["script-src"] = _hashed(script)
    line = "; ".join(f"{rule} {allowed}" for rule, allowed in {**policy, **(rules or {})}.items())
    own = {"css": markup(style), "js": markup(script), "headstart": __version__}
    own["policy"] = None if rules and "frame-ancestors" in rules else markup(line)
    # A name that is not UTF-8 holds lone surrogates, which no page can.
    text = fill(template, {**values, **own}).encode("utf-8", "backslashreplace").decode("utf-8")
    return Page(text, line)


def save_page(text: str, path: Path) -> Path:
    """Write a page, its folder made when missing; return where.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    try:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write the page to {path.parent}: {error.strerror}") from error
    return path


def fill(template: str, values: Mapping[str, Any]) -> str:
    """Fill a template: ``.html.j2`` escapes what it is given, ``.md.j2`` by its filter alone."""
    return environment().get_template(template).render(values)


def source(path: str) -> str:
    """Return the text of a file below ``classify/``: a style, a script."""
    return resources.files(ROOMS).joinpath(path).read_text(encoding="utf-8")


def markup(text: str) -> Any:
    """Mark text of our own, or of an XML library, as markup that is not to be escaped."""
    import markupsafe

    return markupsafe.Markup(text)  # noqa: S704 (never a name)


def breakable(name: str) -> Any:
    """Return a name as markup that a narrow page breaks between its words, not within one.

    Examples
    --------
    >>> str(breakable("<b>_howler.jpg"))
    '&lt;b&gt;_<wbr>howler.<wbr>jpg'
    """
    return markup("<wbr>").join(re.split(r"(?<=[_./-])(?=.)", name))


@functools.cache
def environment() -> jinja2.Environment:
    """Return the one environment, which finds templates below ``classify/``."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("headstart", "classify"),
        autoescape=jinja2.select_autoescape(("html.j2",)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "shown": shown,
        "breakable": breakable,
        "count": lambda number: f"{number:,}",
        "percent": lambda share: "–" if share is None else f"{100 * share:.1f} %",
        "points": lambda bounds: (
            "–" if bounds is None else f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f} %"
        ),
        "range": lambda bounds: f"{bounds[0]:.3f} to {bounds[1]:.3f}",
        "shell": shlex.quote,
        "compact": lambda value: json.dumps(value, ensure_ascii=False, sort_keys=True),
        "text": lambda value: escaped(shown(str(value))),  # in Markdown
    }
    return made


def _hashed(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
