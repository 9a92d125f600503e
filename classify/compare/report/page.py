"""Results and evidence to one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....extract.images.addresses import Reference
from ....text import below, shown
from ...finetune.documents import in_words
from ...pages.html import make_page, markup, source
from ...pages.thumbnails import thumbnails
from ...statistics.confusion import confusion_matrix
from ...statistics.metrics import METRICS
from ..compare import Comparison, Evidence
from ..documents import ApproachDocument, Results
from ..verdict import duration, two_figures
from . import galleries
from .contender_plots import MOST_CLASSES as RECALLS
from .contender_plots import Charted, recall_by_class, reliability_diagram
from .cost_plot import accuracy_against_cost
from .feature_map import draw_map, lay_out
from .training_plots import learning_curve, training_history

MOST_CLASSES = 40  # in a confusion matrix
HEADLINES = {
    "transfer": "The head wins: use {use}.",
    "finetune": "Fine-tuning wins: use {use}.",
    "tied": "They cannot be told apart: use {use}, the cheaper.",
    "untuned": "Fine-tuning was not tuned: no verdict.",
}


def page_text(comparison: Comparison) -> str:
    """Return the page.

    It loads nothing: style, script and pictures are in it, and its content
    security policy forbids everything else. Names from the dataset are text.
    """
    values = _values(comparison)
    style = source("compare/report/page.css") + _picture_rules(values["thumbnails"])
    script = source("compare/report/page.js")
    return make_page("compare/report/page.html.j2", values, style=style, script=script).text


def _values(comparison: Comparison) -> dict[str, Any]:
    """Return what the template names."""
    results, evidence = comparison.results, comparison.evidence
    classes = [shown(name) for name in results["dataset"]["classes"]]
    approaches = results["approaches"]
    pair = (results["tests"]["first"], results["tests"]["second"])
    tuned = any(approach["kind"] == "finetune" for approach in approaches)
    headlines = HEADLINES if tuned else HEADLINES | {"transfer": "Use {use}."}
    mistakes = {name: galleries.confident_mistakes(evidence, name, classes) for name in pair}
    disagreements = galleries.disagreements(evidence, pair, classes)
    hard = galleries.wrong_by_all(evidence, classes)
    shown_first = [*mistakes.values(), disagreements, hard]
    doctors = galleries.findings(results["doctor"])
    paths = _all_paths(evidence, doctors)
    numbers = {path: number for number, path in enumerate(paths)}
    wanted = galleries.most_wanted(evidence, shown_first, doctors, numbers)
    pictures = thumbnails(paths, wanted)
    names = [below(path, results["dataset"]["path"]) for path in paths]
    order = [approach["name"] for approach in approaches]
    places, method = lay_out(evidence.features)
    return {
        "r": results,
        "metrics": METRICS,
        "classes": classes,
        "tuned": tuned,
        "headline": headlines[results["outcome"]].format(use=shown(results["use"])),
        "images": [{"name": n, "truth": t} for n, t in zip(names, evidence.truth, strict=False)],
        "thumbnails": pictures,
        "doctor": [_finding(finding, names, numbers, pictures) for finding in doctors],
        "mistakes": mistakes,
        "disagreements": disagreements,
        "hard": hard,
        "confusions": [
            _confusion(order.index(name), name, evidence, classes)
            for name in dict.fromkeys([*pair, *order])
        ],
        "map_method": method,
        "map_left_out": len(evidence.truth) - len(evidence.features),
        "recall_left_out": max(0, len(np.unique(evidence.truth)) - RECALLS),
        "plots": _plots(results, evidence, classes)
        | {"map": _map(evidence, pair[0], classes, places, method)},
        "data": _data(evidence, order, names, classes, pictures)
        | {"contenders": [order.index(name) for name in pair]},
        "duration": lambda seconds: "–" if seconds is None else duration(seconds),
        "two_figures": two_figures,
        "budget": _budget,
    }


def _plots(results: Results, evidence: Evidence, classes: Sequence[str]) -> dict[str, Any]:
    """Return the drawings, SVG that an XML library wrote, as markup."""
    approaches, curve = results["approaches"], results["curve"]
    kinds = {approach["name"]: approach["kind"] for approach in approaches}
    contenders = [
        Charted(name, kinds[name], evidence.probabilities[name])
        for name in (results["tests"]["first"], results["tests"]["second"])
    ]
    drawings: dict[str, Any] = {
        "cost": markup(accuracy_against_cost(approaches)),
        "histories": _histories(approaches),
        "reliability": markup(reliability_diagram(contenders, evidence.truth)),
        "recall": markup(recall_by_class(contenders, evidence.truth, classes)),
    }
    if curve is not None:
        drawings["curve"] = markup(learning_curve(curve["model"], curve["points"]))
    return drawings


def _histories(approaches: Sequence[ApproachDocument]) -> list[tuple[str, Any, str]]:
    return [
        (
            approach["name"],
            markup(training_history(f"history-{number}", approach["name"], approach["history"])),
            _budget(approach["budget"]),
        )
        for number, approach in enumerate(approaches)
        if len(approach["history"]) > 1
    ]


def _map(evidence: Evidence, first: str, classes: Sequence[str], places: Any, method: str) -> Any:
    on_map = slice(len(evidence.features))
    right = evidence.probabilities[first].argmax(axis=1) == evidence.truth
    return markup(draw_map(places, method, evidence.truth[on_map], right[on_map], classes))


def _picture_rules(pictures: dict[int, str]) -> str:
    """Put each photograph into the page once, as a class that any element may have."""
    return "".join(
        f".t{number}{{background-image:url({uri})}}\n" for number, uri in pictures.items()
    )


def _all_paths(evidence: Evidence, doctors: Sequence[galleries.Finding]) -> list[Reference]:
    """Return the evaluation images, then those that the doctor alone names."""
    doubted = (path for finding in doctors for path, _ in finding.photographs)
    return list(dict.fromkeys([*evidence.paths, *doubted]))


def _finding(
    finding: galleries.Finding,
    names: Sequence[str],
    numbers: dict[Reference, int],
    pictures: dict[int, str],
) -> dict[str, Any]:
    images = []
    for path, lines in finding.photographs:
        number = numbers[path]
        picture = f"t{number}" if number in pictures else None
        images.append({"name": names[number], "picture": picture, "lines": lines})
    return {"title": finding.title, "images": images}


def _confusion(
    approach: int, name: str, evidence: Evidence, classes: Sequence[str]
) -> dict[str, Any]:
    """Return the matrix of the classes that are confused most; all where there are few."""
    predicted = evidence.probabilities[name].argmax(axis=1)
    counts = confusion_matrix(evidence.truth, predicted, len(classes))
    mistakes = counts - np.diag(np.diag(counts))
    confused = mistakes.sum(axis=0) + mistakes.sum(axis=1)
    kept = np.sort(np.argsort(-confused, kind="stable")[:MOST_CLASSES]).tolist()
    return {
        "name": name,
        "mistakes": int(mistakes.sum()),
        "left_out": len(classes) - len(kept),
        "names": [classes[c] for c in kept],
        "rows": [
            {
                "name": classes[true],
                "cells": [
                    {
                        "count": int(counts[true, label]),
                        "right": true == label,
                        "name": classes[label],
                        "key": f"{approach} {true} {label}",
                    }
                    for label in kept
                ],
            }
            for true in kept
        ],
    }


def _budget(budget: dict[str, Any]) -> str:
    """Say in words what an approach was allowed to try."""
    words = []
    if "candidates" in budget:
        folds = f" x {budget['folds']} folds" if "folds" in budget else ""
        words.append(f"{budget['candidates']} candidates{folds}")
    if "chosen" in budget:
        words.append(in_words(budget["chosen"]))
    return "; ".join(words)


def _data(
    evidence: Evidence,
    order: Sequence[str],
    names: Sequence[str],
    classes: Sequence[str],
    pictures: dict[int, str],
) -> dict[str, Any]:
    """Return what the page's script needs: who labelled what, and how surely."""
    return {
        "classes": list(classes),
        "images": [
            {"name": name, "truth": int(true), "shown": number in pictures}
            for number, (name, true) in enumerate(zip(names, evidence.truth, strict=False))
        ],
        "approaches": [
            {
                "name": shown(name),
                "predicted": evidence.probabilities[name].argmax(axis=1).tolist(),
                "confidence": np.round(evidence.probabilities[name].max(axis=1), 3).tolist(),
            }
            for name in order
        ],
    }
