"""The model card: what a classifier is, what it was made of, how far to trust it.

A card is one JSON document, ``NAME.MODEL.json`` beside ``NAME.headstart``, and the same as
Markdown, ``NAME.MODEL.md``, rendered from that document alone. The document is made from the
saved classifier alone, so it can be made anew (:func:`write_card`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from ...cache.spec import FeatureSpec
from ...errors import ModelError
from ...extract.backbone.backbone import Backbone
from ...extract.backbone.backbones import Application, backbone_of
from ...storage import replacing
from ...text import shown
from ...version import __version__
from ..pages.html import fill
from ..statistics.metrics import METRICS
from .card_document import BackboneFacts, CardDocument, CardFacts, ExportEntry
from .card_limits import intended_use, limits
from .front_matter import metadata, to_yaml
from .load import SavedModel
from .network_model import TunedModel
from .records import Account

CARD_VERSION = 1
# Of weights that come with headstart (extract/weights/NOTICE.md): their licence, and the Hub's
# name of the same checkpoint.
BUNDLED = {"mobilenet": ("Apache-2.0", "google/mobilenet_v1_1.0_224")}


def card_paths(path: Path) -> tuple[Path, Path]:
    """Return where the card of a model file lies: Markdown and JSON.

    Examples
    --------
    >>> [str(path) for path in card_paths(Path("models/flowers.headstart"))]
    ['models/flowers.MODEL.md', 'models/flowers.MODEL.json']
    """
    return path.with_name(f"{path.stem}.MODEL.md"), path.with_name(f"{path.stem}.MODEL.json")


def make_card(model: SavedModel, path: Path) -> CardDocument:
    """Return the card of a saved classifier as a JSON document.

    Raises
    ------
    ModelError
        If the classifier was saved by a headstart that kept no account of its evaluation.
    """
    record: Mapping[str, Any] = model.record
    account: Account | None = record.get("account")
    if account is None:
        raise ModelError(
            f"{path} was saved without an account of its evaluation, so it has no model card: fit "
            "it again with --out, the features are still cached"
        )
    network = isinstance(model, TunedModel)
    seen = model.features if isinstance(model, TunedModel) else model.spec
    facts: CardFacts = {
        "version": CARD_VERSION,
        "name": shown(path.stem),
        "file": shown(path.name),
        "bytes": path.stat().st_size,
        "kind": "network" if network else "head",
        "model": model.name,
        "classes": model.classes,
        "chosen": _chosen(record),
        "data": account["data"],
        "evaluation": {
            "split": account["data"]["split"],
            "n": account["data"]["evaluation"],
            "figures": account["figures"],
            "per_class": account["per_class"],
            "confused": account["confused"],
        },
        "abstention": None if network else record["abstention"]["evaluation"],
        "backbone": _describe_backbone(backbone_of(seen, Path(model.weights)), model.weights, seen),
        "spec": {"id": seen.id, **asdict(seen)},
        "cost": {
            "seconds": record["seconds"],
            "trainable_parameters": record["trainable_parameters"],
        },
        "license": account["license"],
        "versions": {"headstart": __version__, **account["versions"]},
        "exports": [],
    }
    card: CardDocument = {**facts, "intended_use": intended_use(facts), "limits": limits(facts)}
    return cast("CardDocument", json.loads(json.dumps(card)))  # tuples become lists, as in the file


def save_with_card(model: SavedModel, path: Path, also: Mapping[str, bytes] | None = None) -> None:
    """Save a classifier, with more parts where given, and write its card beside it.

    Raises
    ------
    ModelError
        If either cannot be written.
    """
    model.save(path, also)
    write_card(model, path)


def write_card(model: SavedModel, path: Path) -> tuple[Path, Path]:
    """Write the card of a saved classifier beside its file; return Markdown and JSON.

    Raises
    ------
    ModelError
        If it cannot be made or written.
    """
    markdown, document = card_paths(path)
    _write(make_card(model, path), markdown, document)
    return markdown, document


def add_export(document: Path, record: Mapping[str, Any]) -> None:
    """Note an export in a card: in the JSON, and in the Markdown, which is rendered anew.

    Parameters
    ----------
    document : Path
        The card's JSON, see :func:`card_paths`.
    record : mapping
        An :class:`~headstart.classify.saved.card_document.ExportEntry`:
        ``format``, ``file`` (its name), ``bytes``, ``quantize`` (None, ``"dynamic"`` or
        ``"int8"``) and ``parity``: ``images``, ``labels_equal`` (whether all were), ``largest``
        (difference of a probability) and ``tolerance``; optionally ``accuracy`` and
        ``accuracy_lost`` on the evaluation split. It takes the place of an earlier export to a
        file of the same name.

    Raises
    ------
    ModelError
        If there is no card, or none of this version.
    """
    card = read_card(document)
    others = [export for export in card["exports"] if export["file"] != record["file"]]
    card["exports"] = [*others, cast("ExportEntry", dict(record))]
    name = document.name.removesuffix(".json")
    _write(card, document.with_name(f"{name}.md"), document)


def read_card(document: Path) -> CardDocument:
    """Return what a card's JSON holds.

    Raises
    ------
    ModelError
        If there is none, or none of this version.
    """
    try:
        card = json.loads(document.read_text(encoding="utf-8"))
        version = card["version"]
    except FileNotFoundError:
        raise ModelError(
            f"no model card {shown(document)}: 'fit head --out FILE' writes it beside FILE"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{shown(document)} is no model card, or damaged: {error}") from error
    if version != CARD_VERSION:
        raise ModelError(
            f"{shown(document)} is a model card of version {version}, this headstart reads "
            f"{CARD_VERSION}: fit the model again with --out"
        )
    return cast("CardDocument", card)


def to_markdown(card: CardDocument) -> str:
    """Return a card as Markdown, its metadata before it; names are text, whatever they hold."""
    text = fill(
        "saved/card.md.j2", {"card": card, "front": to_yaml(metadata(card)), "metrics": METRICS}
    )
    return text.rstrip() + "\n"


def _chosen(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the classifier was chosen: what the record has of it."""
    known = ("params", "cv", "taps", "seed", "unfreeze", "epochs", "images", "head")
    temperature = record["calibration"]["temperature"]
    return {"temperature": temperature, **{key: record[key] for key in known if key in record}}


def _describe_backbone(backbone: Backbone, weights: str, spec: FeatureSpec) -> BackboneFacts:
    bundled = (
        weights == "imagenet"
        and isinstance(backbone, Application)
        and backbone.imagenet.bundled is not None
    )
    licence, base = BUNDLED[backbone.name] if bundled else (None, None)
    return {
        "name": backbone.name,
        "parameters": round(backbone.parameters * 1e6),
        "multiply_adds": backbone.multiply_adds * 1e9 * len(spec.views),
        "weights": weights if weights == "imagenet" else shown(Path(weights).name),
        "weights_sha256": spec.weights_sha256,
        "licence": licence,
        "base_model": base,
    }


def _write(card: CardDocument, markdown: Path, document: Path) -> None:
    """Write both files, each under a temporary name first."""
    texts = {document: json.dumps(card, indent=1) + "\n", markdown: to_markdown(card)}
    for path, text in texts.items():
        try:
            with replacing(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ModelError(
                f"cannot write the model card {shown(path)}: {error.strerror}"
            ) from error
