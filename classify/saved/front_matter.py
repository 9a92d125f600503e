"""A model card's metadata, as the Hugging Face Hub reads it: YAML before the Markdown.

The fields are those of https://github.com/huggingface/hub-docs/blob/main/modelcard.md. The
Hub's own library (``huggingface_hub.ModelCard``) reads back what is written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .card_document import CardFacts
from .licences import licence_fields
from .records import FigureDocument

METRICS = {  # figure to the Hub's name for it and ours
    "accuracy": ("accuracy", "accuracy"),
    "macro_f1": ("f1", "macro F1"),
    "log_loss": ("log_loss", "log loss, nats"),
    "ece": ("ece", "expected calibration error"),
}


def metadata(card: CardFacts) -> dict[str, Any]:
    """Return a card's metadata as the Hub names it.

    Parameters
    ----------
    card : CardFacts
        From :func:`headstart.classify.saved.card.make_card`.
    """
    backbone, figures = card["backbone"], card["evaluation"]["figures"]
    base = {"base_model": backbone["base_model"]} if backbone["base_model"] else {}
    return {
        **licence_fields(card["license"]),
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


def _metric(hub: str, name: str, figure: FigureDocument) -> dict[str, Any]:
    low, high = figure["ci95"]
    words = f"{name} (95 % interval {low:.4f} to {high:.4f})"
    return {"type": hub, "value": figure["value"], "name": words}


def to_yaml(document: Mapping[str, Any]) -> str:
    """Return the metadata as it stands before the card, in YAML.

    Examples
    --------
    >>> print(to_yaml({"tags": ["a", "no"], "value": 1e-5}), end="")
    tags:
    - a
    - 'no'
    value: 1.0e-05
    """
    import yaml

    text: str = yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True)
    return text
