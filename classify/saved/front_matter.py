"""A model card's metadata, as the Hugging Face Hub reads it: YAML before the Markdown.

The fields are those of https://github.com/huggingface/hub-docs/blob/main/modelcard.md. The
Hub's own library (``huggingface_hub.ModelCard``) reads back what is written here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_/.-]*")
RESERVED = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}  # of YAML 1.1, any case
METRICS = {  # figure to the Hub's name for it and ours
    "accuracy": ("accuracy", "accuracy"),
    "macro_f1": ("f1", "macro F1"),
    "log_loss": ("log_loss", "log loss, nats"),
    "ece": ("ece", "expected calibration error"),
}


def metadata(card: dict[str, Any]) -> dict[str, Any]:
    """Return a card's metadata as the Hub names it.

    A licence is not among it: that of the classifier is for its maker to choose.

    Parameters
    ----------
    card : dict
        From :func:`headstart.classify.saved.card.make_card`.
    """
    backbone, figures = card["backbone"], card["evaluation"]["figures"]
    base = {"base_model": backbone["base_model"]} if backbone["base_model"] else {}
    return {
        "library_name": "headstart",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "transfer-learning", "headstart", backbone["name"]],
        **base,
        "metrics": [hub for hub, _ in METRICS.values()],
        "model-index": [
            {
                "name": card["name"],
                "results": [
                    {
                        "task": {"type": "image-classification", "name": "Image classification"},
                        "dataset": {
                            "type": "imagefolder",
                            "name": card["data"]["name"],
                            "split": card["data"]["split"],
                        },
                        "metrics": [
                            _metric(hub, name, figures[key]) for key, (hub, name) in METRICS.items()
                        ],
                    }
                ],
            }
        ],
    }


def _metric(hub: str, name: str, figure: dict[str, Any]) -> dict[str, Any]:
    low, high = figure["ci95"]
    words = f"{name} (95 % interval {low:.4f} to {high:.4f})"
    return {"type": hub, "value": figure["value"], "name": words}


def to_yaml(document: dict[str, Any]) -> str:
    r"""Return a document of dicts, lists, texts, numbers, truths and None as YAML.

    Containers are in block style, texts plain where that is safe, else quoted as in JSON, which
    YAML reads.

    Examples
    --------
    >>> print(to_yaml({"tags": ["a", "no"], "results": [{"count": 1, "value": 1e-5}]}), end="")
    tags:
    - a
    - "no"
    results:
    - count: 1
      value: 1.0e-05
    """
    return "".join(f"{line}\n" for line in _lines(document))


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _entry(f"{_scalar(key)}:", inner, "" if isinstance(inner, list) else "  ")
    elif isinstance(value, list) and value:
        for inner in value:
            first, *rest = _lines(inner)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield _scalar(value)


def _entry(key: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        yield key
        yield from (indent + line for line in _lines(value))
    else:
        yield f"{key} {_scalar(value)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in RESERVED:
        return value
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and "e" in text and "." not in text:
        return text.replace("e", ".0e")  # YAML 1.1 takes 1e-05 for a text
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)
