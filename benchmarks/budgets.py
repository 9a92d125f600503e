"""Accuracy of fine-tuning against its budget, beside what the plain Keras guide's recipe gets.

Run from the project's root: ``make bench``, or ``benchmarks/budgets.py [DATA …]`` for other data
than the digits of the demo and ``flowers17``. Nothing is chosen by these figures.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from photographs import SHARED
from timing import RESULTS, machine

from headstart.classify.data.folds import hold_out
from headstart.classify.data.table import Table, load_table
from headstart.classify.finetune.finetune import fine_tune_dataset
from headstart.classify.finetune.settings import FineTuneSettings
from headstart.classify.statistics.intervals import wilson
from headstart.demo import write_digits
from headstart.extract.backbone.backbones import backbone_of
from headstart.extract.backbone.loading import load_keras
from headstart.extract.decode.decode import decode_views
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import FeatureSource, feature_source

MINUTES = (1, 3, 10, 30)
BATCH = 32


def main() -> None:
    """Search with each budget; then follow the guide, at whatever time that takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="*", type=Path)
    parser.add_argument("--minutes", nargs="+", type=float, default=MINUTES)
    parser.add_argument("--no-guide", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folders = options.data or [
            write_digits(Path(scratch) / "digits"),
            SHARED / "data" / "flowers17",
        ]
        source = feature_source(Recipe(), Execution(cache=Path(scratch) / "cache"))
        rows = []
        for folder in folders:
            table = load_table(read_dataset(folder), source)
            for minutes in options.minutes:
                rows.append(searched(folder.name, table, source, minutes))
                say(rows[-1])
            if not options.no_guide:
                rows.append(guided(folder.name, table, source))
                say(rows[-1])
    RESULTS.mkdir(exist_ok=True)
    document = {"machine": machine(), "rows": rows}
    (RESULTS / "budgets.json").write_text(json.dumps(document, indent=1) + "\n")


def searched(name: str, table: Table, source: FeatureSource, minutes: float) -> dict[str, Any]:
    """Search within some minutes and train the winner, from cached features."""
    begin, cpu = time.perf_counter(), time.process_time()
    result = fine_tune_dataset(table, source, FineTuneSettings(budget=f"{minutes:g}"))
    truth = table.y[table.split.evaluation]
    right = int((result.probabilities.argmax(axis=1) == truth).sum())
    chosen = result.best.candidate
    how = f"{result.search.candidates} settings; {chosen.unfreeze}, {chosen.learning_rate:g}"
    way = f"our search, {minutes:g} min"
    return row(name, way, f"{how}, {result.best.epoch} epochs", right, len(truth), begin, cpu)


def guided(name: str, table: Table, source: FeatureSource) -> dict[str, Any]:
    """Train a head until it is no longer better, then everything at 1e-5 for ten epochs.

    https://keras.io/guides/transfer_learning/: batch norm stays in inference mode.
    """
    keras = load_keras()
    keras.utils.set_random_seed(0)
    spec = source.spec
    begin, cpu = time.perf_counter(), time.process_time()
    images = np.stack(
        [
            decode_views(Path(path).read_bytes(), spec.input_size, spec.resize)[0]
            for path in table.paths
        ]
    )
    fitting, evaluation = table.split.fitting, table.split.evaluation
    rows, held = hold_out(table.y[fitting], table.groups[fitting], 0)
    rows, held = fitting[rows], fitting[held]
    backbone = backbone_of(spec).load(source.weights)
    backbone.trainable = False
    inputs = keras.Input(images.shape[1:])
    maps = backbone(backbone_of(spec).preprocess(inputs), training=False)
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    model = keras.Model(inputs, keras.layers.Dense(len(table.classes))(pooled))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    patience = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    for rate, epochs, callbacks in ((1e-3, 100, [patience]), (1e-5, 10, [])):
        model.compile(keras.optimizers.Adam(rate), loss)
        model.fit(
            images[rows],
            table.y[rows],
            batch_size=BATCH,
            epochs=epochs,
            validation_data=(images[held], table.y[held]),
            callbacks=callbacks,
            verbose=0,
        )
        backbone.trainable = True
    predicted = model.predict(images[evaluation], batch_size=BATCH, verbose=0).argmax(axis=1)
    right = int((predicted == table.y[evaluation]).sum())
    how = "head until it stands still, then everything at 1e-5 for 10 epochs"
    return row(name, "the Keras guide's recipe", how, right, len(evaluation), begin, cpu)


def row(
    name: str, way: str, how: str, right: int, n: int, begin: float, cpu: float
) -> dict[str, Any]:
    """Return one row of the table; ``cpu`` is what a busy machine does not change."""
    return {
        "data": name,
        "way": way,
        "how": how,
        "accuracy": right / n,
        "ci95": wilson(right, n),
        "minutes": (time.perf_counter() - begin) / 60,
        "processor_minutes": (time.process_time() - cpu) / 60,
    }


def say(figures: dict[str, Any]) -> None:
    """Print one row in Markdown."""
    low, high = figures["ci95"]
    print(
        f"| {figures['data']} | {figures['way']} | {figures['how']} | "
        f"{figures['accuracy']:.1%} ({low:.1%} to {high:.1%}) | {figures['minutes']:.1f} | "
        f"{figures['processor_minutes']:.1f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
