"""The pages for people: one to drop photographs on, one that describes the service.

Each is one file that loads nothing: style and script are in it, and its content security
policy forbids everything else.
"""

from __future__ import annotations

import json
from typing import Any

from ..pages.html import Page, make_page, source
from ..saved.load import SavedModel
from .limits import Limits

RULES = {
    "img-src": "blob: data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


def front_page(model: SavedModel, limits: Limits) -> Page:
    """Return the page to drop photographs on, and its content security policy."""
    return make_page(
        "serve/page.html.j2",
        {"model": model, "limits": limits},
        style=source("serve/page.css"),
        script=source("serve/page.js"),
        rules=RULES,
    )


def documentation(openapi: dict[str, Any]) -> Page:
    """Return a page that describes an OpenAPI document, and its content security policy."""
    values = {
        "about": openapi["info"],
        "operations": [
            (method.upper(), path, operation)
            for path, methods in openapi["paths"].items()
            for method, operation in methods.items()
        ],
        "schemas": {
            name: schema["properties"]
            for name, schema in openapi["components"]["schemas"].items()
            if "properties" in schema
        },
        "kind": _kind,
    }
    return make_page("serve/docs.html.j2", values, style=source("serve/page.css"), rules=RULES)


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
