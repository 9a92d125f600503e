"""A TensorFlow SavedModel: a folder that TensorFlow alone can load."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from ...extract.backbone.loading import load_tensorflow, stderr_held_back
from .graph import INPUT, OUTPUTS, Graph
from .parity import Runtime

SIGNATURE = "serving_default"
LABELS, ABOUT = "labels.txt", "headstart.json"


def write(graph: Graph, about: dict[str, Any], path: Path) -> None:
    """Write the folder: signature ``serving_default``, assets ``labels.txt`` and ``headstart.json``.

    Parameters
    ----------
    graph : Graph
        From images to labels.
    about : dict
        See :func:`headstart.classify.export.about.describe`.
    path : Path
        The folder; must not exist.
    """
    tf = load_tensorflow()
    module = tf.Module()
    module.weights, module.classify = graph.variables, graph.run
    with tempfile.TemporaryDirectory() as folder, stderr_held_back():
        write_about(about, Path(folder))
        module.labels = tf.saved_model.Asset(str(Path(folder, LABELS)))
        module.about = tf.saved_model.Asset(str(Path(folder, ABOUT)))
        tf.saved_model.save(module, str(path), signatures={SIGNATURE: graph.concrete})


def annotate(path: Path, about: dict[str, Any]) -> None:
    """Replace what the folder says of itself."""
    write_about(about, path / "assets")


def write_about(about: dict[str, Any], folder: Path) -> None:
    """Write class names, a line each, and the whole as JSON."""
    (folder / LABELS).write_text(labels_text(about["classes"]), encoding="utf-8")
    (folder / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")


def labels_text(classes: list[str]) -> str:
    r"""Return class names, a line each, in the order of the probabilities.

    Examples
    --------
    >>> labels_text(["cat", "two\nlines"])
    'cat\ntwo lines\n'
    """
    return "".join(" ".join(name.splitlines()) + "\n" for name in classes)


def read_about(path: Path) -> dict[str, Any]:
    """Return what :func:`annotate` wrote."""
    about: dict[str, Any] = json.loads((path / "assets" / ABOUT).read_text(encoding="utf-8"))
    return about


def open_artefact(path: Path) -> Runtime:
    """Load it as a program without headstart does."""
    tf = load_tensorflow()
    loaded = tf.saved_model.load(str(path))
    run = loaded.signatures[SIGNATURE]

    def classify(images: Any) -> tuple[Any, Any]:
        told = run(**{INPUT: tf.constant(images)})
        return told[OUTPUTS[0]].numpy(), told[OUTPUTS[1]].numpy()

    classify.keep = loaded  # type: ignore[attr-defined]  # a signature alone loses its variables
    return classify
