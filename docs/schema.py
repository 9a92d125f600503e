"""Write ``results.schema.json``: the JSON schema of ``results.json``, from its types (``make docs``)."""

from __future__ import annotations

import builtins
import json
import math
import types
import typing
from pathlib import Path
from typing import Any

import headstart
from headstart.classify.compare.documents import ApproachDocument, Results
from headstart.classify.statistics.metrics import METRICS

FILE = Path(headstart.__file__).parent / "classify" / "compare" / "results.schema.json"
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def schema_of(kind: Any) -> dict[str, Any]:
    """Return the schema of a type: what an annotation says beside it stands in it, too."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if typing.is_typeddict(kind):
        return document(kind)
    match origin:
        case typing.Annotated:
            schema = schema_of(arguments[0])
            for rules in arguments[1:]:
                schema |= dict(rules)
        case types.UnionType | typing.Union:
            schema = {"anyOf": [schema_of(argument) for argument in arguments]}
        case typing.Literal:
            schema = {"enum": list(arguments)}
        case builtins.list:
            schema = {"type": "array", "items": schema_of(arguments[0])}
        case builtins.dict:
            schema = {"type": "object", "additionalProperties": schema_of(arguments[1])}
        case _:
            schema = {} if kind is Any else {"type": PLAIN[kind]}
    return schema


def document(kind: Any) -> dict[str, Any]:
    """Return the schema of a typed document."""
    fields = typing.get_type_hints(kind, include_extras=True)
    properties = {name: schema_of(field) for name, field in fields.items()}
    required = sorted(kind.__required_keys__)
    if kind is ApproachDocument:
        properties |= {key: metric_schema(metric.largest) for key, metric in METRICS.items()}
        properties["intervals"]["required"] = sorted(METRICS)
        required = sorted({*required, *METRICS})
    return {
        "type": "object",
        "description": kind.__doc__,
        "required": required,
        "additionalProperties": False,
        "properties": properties,
    }


def metric_schema(largest: float) -> dict[str, Any]:
    """Return the schema of a metric."""
    bound = {} if math.isinf(largest) else {"maximum": largest}
    return {"type": "number", "minimum": 0, **bound}


def results_schema() -> dict[str, Any]:
    """Return the schema of ``results.json``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "results.json of headstart compare transfer-vs-finetune",
        **schema_of(Results),
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(results_schema(), indent=1) + "\n", encoding="utf-8")
