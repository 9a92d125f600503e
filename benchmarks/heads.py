"""Heads: ours against scikit-learn's search over the same values, and against Keras.

Run from the project's root: ``make bench``, or one part of it::

    python benchmarks/heads.py search
    python benchmarks/heads.py memory
    python benchmarks/heads.py job
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from photographs import SHARED, folders
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV
from timing import RESULTS, in_turns, machine, report

from headstart.cache import FeatureSpec, FeatureStore, StoredRows
from headstart.classify.compare.cost import measured
from headstart.classify.data.folds import choosing_rows, make_folds
from headstart.classify.data.table import Table, load_table
from headstart.classify.heads.fits import open_fits
from headstart.classify.heads.scaler import PowerScaler
from headstart.classify.heads.search import fit_calibrated, tune
from headstart.classify.heads.table import PROBE, find_head
from headstart.classify.heads.training_rows import Training
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source

VGG16 = SHARED / "weights" / "vgg16_notop.weights.h5"
# As features are: scikit-learn tries no powers. Its rule, the best, not the cautious one.
LOGREG = replace(PROBE, one_se=False)
STRENGTHS = LOGREG.path["head__C"]
ROWS, COLUMNS, CLASSES = 200_000, 1_024, 100  # of the features that stay on the disk
EPOCHS = 10


def main() -> None:
    """Run the parts that are named, or all."""
    parts = {"search": search, "memory": memory, "job": job}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=[])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in options.parts or parts:
        parts[name](options)


def search(options: argparse.Namespace) -> None:
    """Time the choice among 45 strengths by 5 folds, and the fit with the chosen one."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = folders(Path(scratch))[-1]
        tables = {"MobileNet": load(folder, Recipe(), Path(scratch))}
        if VGG16.exists():
            wide = Recipe("vgg16", str(VGG16), pooling="flatten")
            tables["VGG16, flattened"] = load(folder, wide, Path(scratch))
        figures: dict[str, Any] = {}
        accuracies: dict[str, Any] = {}
        for name, table in tables.items():
            train, test = table.split.train, table.split.evaluation
            title = f"logreg, {name}, {len(train):,} x {table.X.shape[1]:,}"
            rounds = options.rounds if table.X.shape[1] < 5000 else 1
            right: dict[str, float] = {}

            def ours(table: Table = table, right: dict[str, float] = right) -> None:
                train, test = table.split.train, table.split.evaluation
                folds = make_folds(table.y[train], table.groups[train], 0)
                training = Training(table.X[train], table.y[train], folds)
                fits = open_fits(LOGREG, training)
                fitted = fit_calibrated(tune(LOGREG, fits, 0), fits).estimator
                right["headstart"] = float((fitted.predict(table.X[test]) == table.y[test]).mean())

            def theirs(table: Table = table, right: dict[str, float] = right) -> None:
                train, test = table.split.train, table.split.evaluation
                folds = make_folds(table.y[train], table.groups[train], 0)
                scaler = PowerScaler().fit(table.X[train])
                model = LogisticRegressionCV(
                    Cs=STRENGTHS,
                    cv=folds,
                    max_iter=1000,
                    n_jobs=-1,
                    use_legacy_attributes=False,
                    scoring="accuracy",
                    l1_ratios=(0,),
                )
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    model.fit(scaler.transform(table.X[train]), table.y[train])
                predicted = model.predict(scaler.transform(table.X[test]))
                right["scikit-learn"] = float((predicted == table.y[test]).mean())

            ways = {"headstart": (ours, 1), "LogisticRegressionCV": (theirs, 1)}
            figures[title] = in_turns(ways, rounds, warm_up=rounds > 1)
            accuracies[title] = {**right, "images": len(test)}
        report("heads", figures, "searches")
        print(json.dumps(accuracies, indent=1))
        save("heads-accuracy", accuracies)


def load(folder: Path, recipe: Recipe, cache: Path) -> Table:
    """Extract and lay out a dataset."""
    return load_table(read_dataset(folder), feature_source(recipe, Execution(cache=cache)))


def memory(options: argparse.Namespace) -> None:
    """Measure peak memory and time of logreg on features that stay on the disk."""
    if not options.in_process:  # a process of its own, without what was loaded before
        subprocess.run([sys.executable, __file__, "memory", "--in-process"], check=True)
        return
    with tempfile.TemporaryDirectory() as scratch:
        spec = FeatureSpec(
            "generated", "0" * 64, ("top",), "avg", (8, 8), "crop", "none", "float32", 1
        )
        store = FeatureStore(Path(scratch), spec)
        rng = np.random.default_rng(0)
        means = rng.normal(0, 1.0, (CLASSES, COLUMNS)).astype(np.float32)
        y = rng.integers(0, CLASSES, ROWS)
        digests = [row.to_bytes(32, "big") for row in range(ROWS)]
        for start in range(0, ROWS, 8192):
            rows = slice(start, start + 8192)
            noise = rng.standard_normal((len(y[rows]), COLUMNS), dtype=np.float32)
            store.append(digests[rows], means[y[rows]] + 8 * noise)
        with measured() as cost:
            accuracy = fit_on_disk(StoredRows(store, digests), y)
    figures = {
        "rows": ROWS,
        "columns": COLUMNS,
        "classes": CLASSES,
        "seconds": round(cost.seconds, 1),
        "peak_memory_mb": cost.peak_memory_mb,
        "held_out_accuracy": accuracy,
    }
    print(json.dumps(figures, indent=1))
    save("heads-memory", figures)


def fit_on_disk(X: StoredRows, y: Any) -> float:
    """Choose on a sample, score all rows out of fold, fit; return the accuracy out of fold."""
    groups = np.arange(len(y))
    rows = choosing_rows(y, groups, 0)
    head = find_head("logreg")
    part = Training(X.take(rows), y[rows], make_folds(y[rows], groups[rows], 0))
    choice = tune(head, open_fits(head, part), 0)
    whole = Training(X, y, make_folds(y, groups, 0))
    calibrated = fit_calibrated(choice, open_fits(head, whole))
    return float((calibrated.out_of_fold.argmax(axis=1) == y).mean())


def job(options: argparse.Namespace) -> None:
    """Time photographs to an evaluated classifier, imports included, against Keras' usual way."""
    folder = folders(Path(tempfile.gettempdir()))[0]
    ours: list[dict[str, float]] = []
    theirs: list[dict[str, float]] = []
    for turn in range(options.rounds + 1):
        with tempfile.TemporaryDirectory() as cache:
            pair = (ours_cold(folder, cache), keras_dense(folder))
        if turn:
            ours.append(pair[0])
            theirs.append(pair[1])
    ratios = sorted(t["seconds"] / o["seconds"] for o, t in zip(ours, theirs, strict=True))
    figures = {
        "dataset": folder.name,
        "headstart fit head, cold cache": ours,
        f"Keras, {EPOCHS} epochs of a Dense head over a frozen MobileNet": theirs,
        "ratio": round(ratios[len(ratios) // 2], 2),
    }
    print(json.dumps(figures, indent=1))
    save("heads-job", figures)


def ours_cold(folder: Path, cache: str) -> dict[str, float]:
    """Run the command in a process of its own."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "headstart", "fit", "head", str(folder), "--cache", cache]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "accuracy": json.loads(done.stdout)["evaluation"]["accuracy"]}


KERAS = """
import json, sys
import keras
folder, weights, epochs = sys.argv[1:]
sets = [
    keras.utils.image_dataset_from_directory(
        f"{folder}/{part}", image_size=(224, 224), batch_size=32, verbose=False,
        shuffle=part == "train", seed=0,
    )
    for part in ("train", "validation")
]
scale = keras.applications.mobilenet.preprocess_input
train, test = (part.map(lambda x, y: (scale(x), y)).prefetch(2) for part in sets)
base = keras.applications.MobileNet(include_top=False, weights=None, pooling="avg",
                                    input_shape=(224, 224, 3))
base.load_weights(weights)
base.trainable = False
classes = len(sets[0].class_names)
model = keras.Sequential([base, keras.layers.Dense(classes, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train, epochs=int(epochs), verbose=0)
print(json.dumps(float(model.evaluate(test, verbose=0)[1])))
"""


def keras_dense(folder: Path) -> dict[str, float]:
    """Train a Dense layer over the frozen network, whose features nobody keeps."""
    weights = feature_source().weights
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", KERAS, str(folder), str(weights), str(EPOCHS)],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "accuracy": json.loads(done.stdout.splitlines()[-1])}


def save(name: str, figures: dict[str, Any]) -> None:
    """Write figures with the machine they were measured on."""
    document = {"machine": machine(), **figures}
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
