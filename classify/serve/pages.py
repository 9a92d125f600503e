"""The pages for people: one to drop photographs on, one that describes the service.

Each is one file that loads nothing: style and script are in it, and its content security
policy forbids everything else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from typing import Any

from ..saved.head_model import Model
from ..saved.network_model import TunedModel
from .limits import Limits

POLICY = (
    "default-src 'none'; style-src {style}; script-src {script}; img-src blob: data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def front_page(model: Model | TunedModel, limits: Limits) -> tuple[str, str]:
    """Return the page to drop photographs on, and its content security policy.

    Parameters
    ----------
    model : Model or TunedModel
        What is served.
    limits : Limits
        What the page tells.
    """
    return _render("page.html.j2", model=model, limits=limits)


def documentation(openapi: dict[str, Any]) -> tuple[str, str]:
    """Return a page that describes an OpenAPI document, and its content security policy.

    Parameters
    ----------
    openapi : dict
        The document, as FastAPI makes it.
    """
    return _render(
        "docs.html.j2",
        about=openapi["info"],
        operations=[
            (method.upper(), path, operation)
            for path, methods in openapi["paths"].items()
            for method, operation in methods.items()
        ],
        schemas={
            name: schema["properties"]
            for name, schema in openapi["components"]["schemas"].items()
            if "properties" in schema
        },
    )


def _kind(schema: dict[str, Any]) -> str:
    """Say in words what a schema allows.

    Examples
    --------
    >>> _kind({"type": "array", "items": {"$ref": "#/components/schemas/Choice"}})
    'list of Choice'
    >>> _kind({"anyOf": [{"type": "string"}, {"type": "null"}]})
    'string or null'
    """
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if "const" in schema:
        return json.dumps(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str(schema.get("type", "any"))


def _render(template: str, **values: Any) -> tuple[str, str]:
    import jinja2
    import markupsafe

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("headstart", "classify/serve"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["kind"] = _kind
    own = {name: _read(f"page.{name}") for name in ("css", "js")}
    text = environment.get_template(template).render(
        css=markupsafe.Markup(own["css"]),  # noqa: S704 (our own files)
        js=markupsafe.Markup(own["js"]),  # noqa: S704
        **values,
    )
    policy = POLICY.format(style=_hash(own["css"]), script=_hash(own["js"]))
    return text, policy


def _read(name: str) -> str:
    return (resources.files("headstart.classify.serve") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
