"""Results and evidence to one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....extract.images.addresses import Reference, reference
from ....text import below, shown
from ...pages.html import make_page, markup, source
from ...pages.thumbnails import thumbnails
from ..compare import Comparison, Evidence
from ..verdict import duration, two_figures
from . import plots
from .feature_map import lay_out

GALLERY = 12  # photographs of mistakes an approach
DISAGREEMENTS = 24
MOST_CLASSES = 40  # in a confusion matrix
HEADLINES = {
    "transfer": "The head wins: use {use}.",
    "finetune": "Fine-tuning wins: use {use}.",
    "tied": "They cannot be told apart: use {use}, the cheaper.",
}

Lines = list[str]
Photographs = list[tuple[int, Lines]]  # position in the evaluation split, what is said of it
Findings = tuple[str, list[tuple[Reference, Lines]]]  # title, images and what is said of them


def page_text(comparison: Comparison) -> str:
    """Return the page.

    It loads nothing: style, script and pictures are in it, and its content
    security policy forbids everything else. Names from the dataset are text.

    Parameters
    ----------
    comparison : Comparison
        From :func:`headstart.classify.compare.compare.compare`.
    """
    values = _values(comparison)
    values["plots"] = {name: _safe(drawing) for name, drawing in values["plots"].items()}
    style = source("compare/report/page.css") + _picture_rules(values["thumbnails"])
    script = source("compare/report/page.js")
    return make_page("compare/report/page.html.j2", values, style=style, script=script).text


def _safe(drawing: Any) -> Any:
    """Mark SVG, which an XML library wrote, as markup."""
    if isinstance(drawing, list):
        return [(name, markup(svg), note) for name, svg, note in drawing]
    return markup(drawing)


def _values(comparison: Comparison) -> dict[str, Any]:
    results, evidence = comparison.results, comparison.evidence
    classes = [shown(name) for name in results["dataset"]["classes"]]
    first, second = results["tests"]["first"], results["tests"]["second"]
    approaches = results["approaches"]
    kinds = {one["name"]: one["kind"] for one in approaches}
    contenders = [
        plots.Contender(name, kinds[name], evidence.probabilities[name]) for name in (first, second)
    ]
    mistakes = [
        {"name": name, "photographs": _confident_mistakes(evidence, name, classes)}
        for name in (first, second)
    ]
    disagreements = _disagreements(evidence, first, second, classes)
    hard = _wrong_by_all(evidence, classes)
    galleries = [m["photographs"] for m in mistakes] + [disagreements, hard]
    findings = _findings(results["doctor"])
    paths = _all_paths(evidence, findings)
    pictures = thumbnails(paths, _wanted(evidence, galleries, paths, findings))
    on_map = slice(len(evidence.features))
    places, method = lay_out(evidence.features)
    right = evidence.probabilities[first].argmax(axis=1) == evidence.truth
    names = [below(path, results["dataset"]["path"]) for path in paths]
    order = [one["name"] for one in approaches]
    return {
        "r": results,
        "classes": classes,
        "headline": HEADLINES[results["outcome"]].format(use=shown(results["use"])),
        "energy": any("energy_joules" in one for one in approaches),
        "images": [{"name": n, "truth": t} for n, t in zip(names, evidence.truth, strict=False)],
        "thumbnails": pictures,
        "doctor": [
            {
                "title": title,
                "images": [
                    {
                        "name": names[paths.index(path)],
                        "picture": f"t{at}" if (at := paths.index(path)) in pictures else None,
                        "lines": lines,
                    }
                    for path, lines in some
                ],
            }
            for title, some in findings
        ],
        "mistakes": mistakes,
        "disagreements": disagreements,
        "hard": hard,
        "confusions": [
            _confusion(order.index(name), name, evidence, classes)
            for name in dict.fromkeys([first, second, *order])
        ],
        "map_method": method,
        "map_left_out": len(evidence.truth) - len(evidence.features),
        "recall_left_out": max(0, len(np.unique(evidence.truth)) - plots.MOST_CLASSES),
        "plots": {
            "cost": plots.accuracy_against_cost(approaches),
            "histories": _histories(approaches),
            **_curve(results["curve"]),
            "reliability": plots.reliability_diagram(contenders, evidence.truth),
            "recall": plots.recall_by_class(contenders, evidence.truth, classes),
            "map": plots.feature_map(
                places, method, evidence.truth[on_map], right[on_map], classes
            ),
        },
        "data": _data(evidence, order, names, classes, pictures, (first, second)),
        "duration": lambda seconds: "–" if seconds is None else duration(seconds),
        "two_figures": two_figures,
        "budget": _budget,
    }


def _picture_rules(pictures: dict[int, str]) -> str:
    """Put each photograph into the page once, as a class that any element may have."""
    return "".join(f".t{at}{{background-image:url({uri})}}\n" for at, uri in pictures.items())


def _labelled(evidence: Evidence, name: str, at: int, classes: Sequence[str]) -> str:
    row = evidence.probabilities[name][at]
    return f"{classes[int(row.argmax())]}, {row.max():.0%} sure"


def _confident_mistakes(evidence: Evidence, name: str, classes: Sequence[str]) -> Photographs:
    probabilities = evidence.probabilities[name]
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != evidence.truth)
    surest = wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:GALLERY]
    return [(int(at), [_labelled(evidence, name, at, classes)]) for at in surest]


def _disagreements(
    evidence: Evidence, first: str, second: str, classes: Sequence[str]
) -> Photographs:
    right = [
        evidence.probabilities[name].argmax(axis=1) == evidence.truth for name in (first, second)
    ]
    differing = np.flatnonzero(right[0] != right[1])[:DISAGREEMENTS]
    return [
        (
            int(at),
            [
                f"{shown(name)}: {_labelled(evidence, name, at, classes)}"
                for name in (first, second)
            ],
        )
        for at in differing
    ]


def _wrong_by_all(evidence: Evidence, classes: Sequence[str]) -> Photographs:
    labels = np.array([p.argmax(axis=1) for p in evidence.probabilities.values()])
    hard = np.flatnonzero((labels != evidence.truth).all(axis=0))[:GALLERY]
    told = []
    for at in hard:
        votes = np.bincount(labels[:, at], minlength=len(classes))
        told.append(
            (int(at), [f"{classes[int(votes.argmax())]}, say {votes.max()} of {len(labels)}"])
        )
    return told


def _findings(doctor: dict[str, Any]) -> list[Findings]:
    """Return what the doctor found that a picture helps to judge: (title, (path, lines) …)."""
    doubts = [
        (
            reference(one["path"]),
            [f"labelled {shown(one['label'])}", f"looks like {shown(one['suggested'])}"],
        )
        for one in doctor["label_errors"]
    ]
    copies = [
        (reference(path), [f"{shown(label)}, {split}"])
        for group in (*doctor["duplicates"], *doctor["near_duplicates"])
        if group["across_splits"] or group["conflicting_labels"]
        for path, label, split in zip(group["paths"], group["labels"], group["splits"], strict=True)
    ]
    found = [("Labels to look at", doubts), ("Copies across splits or labels", copies[:GALLERY])]
    return [(title, some) for title, some in found if some]


def _all_paths(evidence: Evidence, findings: Sequence[Findings]) -> list[Reference]:
    """Return the evaluation images, then those that the doctor alone names."""
    return list(
        dict.fromkeys([*evidence.paths, *(path for _, some in findings for path, _ in some)])
    )


def _wanted(
    evidence: Evidence,
    galleries: Sequence[Photographs],
    paths: Sequence[Reference],
    findings: Sequence[Findings],
) -> Iterable[int]:
    """Order images by how likely a reader is to look at them: galleries, mistakes, the rest."""
    for gallery in galleries:
        yield from (at for at, _ in gallery)
    for _, some in findings:
        yield from (paths.index(path) for path, _ in some)
    labels = np.array([p.argmax(axis=1) for p in evidence.probabilities.values()])
    errors = (labels != evidence.truth).sum(axis=0)
    yield from np.argsort(-errors, kind="stable").tolist()


def _confusion(
    approach: int, name: str, evidence: Evidence, classes: Sequence[str]
) -> dict[str, Any]:
    """Return the matrix of the classes that are confused most; all where there are few."""
    predicted = evidence.probabilities[name].argmax(axis=1)
    counts = np.zeros((len(classes), len(classes)), dtype=np.intp)
    np.add.at(counts, (evidence.truth, predicted), 1)
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


def _curve(curve: dict[str, Any] | None) -> dict[str, str]:
    return {} if curve is None else {"curve": plots.learning_curve(curve["model"], curve["points"])}


def _histories(approaches: Sequence[dict[str, Any]]) -> list[tuple[str, str, str]]:
    found = []
    for number, one in enumerate(approaches):
        if len(one["history"]) > 1:
            svg = plots.training_history(f"history-{number}", one["name"], one["history"])
            found.append((one["name"], svg, _budget(one["budget"])))
    return found


def _budget(budget: dict[str, Any]) -> str:
    """Say in words what an approach was allowed to try."""
    told = []
    if "candidates" in budget:
        folds = f" x {budget['folds']} folds" if "folds" in budget else ""
        told.append(f"{budget['candidates']} candidates{folds}")
    if "unfrozen" in budget:
        told.append(f"from {shown(budget['unfrozen'])} on")
    if "learning_rates" in budget:
        rates = " or ".join(f"{rate:g}" for rate in budget["learning_rates"])
        told.append(f"learning rate {rates}: {budget['learning_rate']:g}")
    if "epochs_run" in budget:
        told.append(
            f"{budget['epochs_run']} epochs run, at most {budget['epochs_allowed']} a training, "
            f"epoch {budget['epochs_kept']} kept"
        )
    return "; ".join(told)


def _data(
    evidence: Evidence,
    order: Sequence[str],
    names: Sequence[str],
    classes: Sequence[str],
    pictures: dict[int, str],
    contenders: tuple[str, str],
) -> dict[str, Any]:
    """Return what the page's script needs: who labelled what, and how surely."""
    return {
        "classes": list(classes),
        "images": [
            {"name": name, "truth": int(true), "shown": at in pictures}
            for at, (name, true) in enumerate(zip(names, evidence.truth, strict=False))
        ],
        "approaches": [
            {
                "name": shown(name),
                "predicted": _integers(evidence.probabilities[name].argmax(axis=1)),
                "confidence": np.round(evidence.probabilities[name].max(axis=1), 3).tolist(),
            }
            for name in order
        ],
        "contenders": [list(order).index(name) for name in contenders],
    }


def _integers(numbers: NDArray[np.intp]) -> list[int]:
    return [int(number) for number in numbers]
