"""A model card's metadata, as the Hugging Face Hub reads it: YAML before the Markdown.

The fields are those of https://github.com/huggingface/hub-docs/blob/main/modelcard.md. The
Hub's own library (``huggingface_hub.ModelCard``) reads back what is written here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypedDict

from ..statistics.metrics import METRICS, FigureDocument, Metric
from .card_document import CardFacts

# https://huggingface.co/docs/hub/repositories-licenses
_NAMES = """
    afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0
    bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc
    cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0
    cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0
    cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0
    creativeml-openrail-m ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 gfdl gpl gpl-2.0 gpl-3.0 isc
    lgpl lgpl-2.1 lgpl-3.0 lgpl-lr lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 openrail
    openrail++ osl-3.0 pddl postgresql unknown unlicense wtfpl zlib
"""
HUB_LICENCES = frozenset(_NAMES.split())
NOT_CHOSEN = "not-chosen-yet"  # the name of the licence of a classifier whose maker named none


def metadata(card: CardFacts) -> dict[str, Any]:
    """Return a card's metadata as the Hub names it."""
    backbone, figures = card["backbone"], card["evaluation"]["figures"]
    on_hub = {key: row for key, row in METRICS.items() if row.hub is not None and key in figures}
    base = {"base_model": backbone["base_model"]} if backbone["base_model"] else {}
    return {
        **licence_fields(card["license"]),
        "library_name": "headstart",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "transfer-learning", "headstart", backbone["name"]],
        **base,
        "metrics": [metric.hub for metric in on_hub.values()],
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
                            _metric(metric, figures[key]) for key, metric in on_hub.items()
                        ],
                    }
                ],
            }
        ],
    }


class LicenceFields(TypedDict, total=False):
    """What the metadata of a card says of the licence."""

    license: str
    license_name: str
    license_link: str


def licence_fields(licence: str | None) -> LicenceFields:
    """Return a licence as the Hub's metadata has it.

    Parameters
    ----------
    licence : str or None
        As given with ``--license``; None when no one has chosen.

    Returns
    -------
    dict
        ``license``; for one that the Hub does not list ``other``, with ``license_name`` and the
        place of its text, ``license_link``.

    Examples
    --------
    >>> licence_fields("Apache-2.0")
    {'license': 'apache-2.0'}
    >>> licence_fields("ACME Research 1.0")
    {'license': 'other', 'license_name': 'acme-research-1.0', 'license_link': 'LICENSE'}
    >>> licence_fields(None)
    {'license': 'other', 'license_name': 'not-chosen-yet'}
    """
    if licence is None:
        return {"license": "other", "license_name": NOT_CHOSEN}
    if licence.lower() in HUB_LICENCES:
        return {"license": licence.lower()}
    name = re.sub(r"[^a-z0-9.+]+", "-", licence.lower()).strip("-")
    return {"license": "other", "license_name": name, "license_link": "LICENSE"}


def _metric(metric: Metric, figure: FigureDocument) -> dict[str, Any]:
    low, high = figure["ci95"]
    words = f"{metric.title} (95 % interval {low:.4f} to {high:.4f})"
    return {"type": metric.hub, "value": figure["value"], "name": words}


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
