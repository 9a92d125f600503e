"""A TensorFlow SavedModel: a folder that TensorFlow alone can load."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from ...extract.backbone.loading import load_tensorflow, stderr_held_back
from .about import ABOUT, LABELS, About, labels_text
from .artefact import Classify, Format, Runtime, Writing, size_of
from .graph import INPUT, OUTPUTS

SIGNATURE = "serving_default"


def write(writing: Writing, path: Path) -> int:
    """Write a new folder: signature ``serving_default``, assets ``labels.txt`` and ``headstart.json``.

    Returns
    -------
    int
        Its bytes.
    """
    graph = writing.graph
    tf = load_tensorflow()
    module = tf.Module()
    module.weights, module.classify = graph.variables, graph.run
    with tempfile.TemporaryDirectory() as folder, stderr_held_back():
        annotate_folder(writing.about, Path(folder))
        module.labels = tf.saved_model.Asset(str(Path(folder, LABELS)))
        module.about = tf.saved_model.Asset(str(Path(folder, ABOUT)))
        tf.saved_model.save(module, str(path), signatures={SIGNATURE: graph.concrete})
    return size_of(path)


def annotate(path: Path, about: About) -> None:
    """Replace what the folder says of itself."""
    annotate_folder(about, path / "assets")


def annotate_folder(about: About, folder: Path) -> None:
    """Write class names, a line each, and the whole as JSON."""
    (folder / LABELS).write_text(labels_text(about["classes"]), encoding="utf-8")
    (folder / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")


def read_about(path: Path) -> About:
    """Return what :func:`annotate` wrote."""
    about: About = json.loads((path / "assets" / ABOUT).read_text(encoding="utf-8"))
    return about


def open_in_tensorflow(path: Path) -> Classify:
    """Load it as a program without headstart does."""
    tf = load_tensorflow()
    loaded = tf.saved_model.load(str(path))
    run = loaded.signatures[SIGNATURE]

    def classify(images: Any) -> tuple[Any, Any]:
        answers = run(**{INPUT: tf.constant(images)})
        return answers[OUTPUTS[0]].numpy(), answers[OUTPUTS[1]].numpy()

    classify.keep = loaded  # type: ignore[attr-defined]  # a signature alone loses its variables
    return classify


FORMAT = Format(
    "saved-model",
    "",
    write,
    annotate,
    read_about,
    (Runtime("TensorFlow", "tensorflow", open_in_tensorflow),),
    quantizes=False,
)
