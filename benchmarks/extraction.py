"""Photographs to committed features: ours against its peers and its floor.

Run from the project's root: ``make bench``. Start-up (imports, loading the
network) is left out for all: it is paid before the clock starts.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import multiprocessing
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from photographs import SHARED, folders
from timing import Ways, in_turns, report

from headstart.cache import FeatureStore, StatIndex
from headstart.classify.data.split import training_images
from headstart.extract.backbone.loading import load_keras, load_tensorflow
from headstart.extract.decode.decode import decode_views
from headstart.extract.engine.choose import this_machine
from headstart.extract.engine.tensorflow import TensorFlowEngine
from headstart.extract.images.dataset import read_dataset
from headstart.extract.pipeline import extract
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import FeatureSource, feature_source

VGG16 = SHARED / "weights" / "vgg16_notop.weights.h5"
FORWARD_IMAGES = 256  # decoded and held in memory for the forward-only ways


def main() -> None:
    """Measure MobileNet on whole folders and VGG16 on part of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--vgg16-images", type=int, default=96)
    options = parser.parse_args()
    tables = {}
    with tempfile.TemporaryDirectory() as scratch:
        sets = folders(Path(scratch))
        for folder in sets:
            paths = [image.path for image in read_dataset(folder).images]
            title = f"MobileNet, {folder.name}, {len(paths):,} images"
            ways = mobilenet(folder, paths, Path(scratch))
            tables[title] = in_turns(ways, options.rounds)
        if VGG16.exists():
            paths = [image.path for image in read_dataset(sets[-1]).images]
            paths = paths[:: max(1, len(paths) // options.vgg16_images)][: options.vgg16_images]
            part = Path(scratch) / "part"
            for number, path in enumerate(paths):
                (part / "all").mkdir(parents=True, exist_ok=True)
                (part / "all" / f"{number}{path.suffix}").symlink_to(path)
            title = f"VGG16, {len(paths)} of {sets[-1].name}"
            tables[title] = in_turns(vgg16(part, paths, Path(scratch)), options.rounds)
    report("extraction", tables, "images")


def mobilenet(folder: Path, paths: list[Path], scratch: Path) -> Ways:
    """Return ours in each precision, plain Keras' ways and forward passes without decoding."""
    images = np.stack([decode_views(path.read_bytes())[0] for path in paths[:FORWARD_IMAGES]])
    count, whole, alone = len(images), {}, {}
    sources = in_each_precision(Recipe(), folder, scratch)
    exact = sources[0]
    for source in sources:
        precision, engine = source.spec.precision, source.engine()
        whole[f"headstart, {precision}"] = (ours(paths, source, engine, scratch), len(paths))
        for name in (source.plan.engine, *source.plan.rivals):
            plan = replace(source.plan, engine=name, rivals=())
            run = forward(replace(source, plan=plan).engine(), images, plan)
            alone[f"{name}, {precision}, forward only"] = (run, count)
    reference = TensorFlowEngine(exact.spec, exact.weights)
    ways: Ways = {
        **whole,
        **plain_keras(folder, exact),
        **alone,
        "TensorFlow, forward only": (lambda: list(map(reference, batches(images, 32))), count),
    }
    if importlib.util.find_spec("torch"):
        torch = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), start_torch, (exact.weights,)
        )
        ways["PyTorch eager, forward only"] = (
            lambda: torch.submit(run_torch, images).result(),
            count,
        )
    return ways


def vgg16(folder: Path, paths: list[Path], scratch: Path) -> Ways:
    """Return each precision and plain Keras' ways."""
    ways: Ways = {}
    sources = in_each_precision(Recipe("vgg16", str(VGG16)), folder, scratch)
    for source in sources:
        engine = source.engine()
        ways[f"headstart, {source.spec.precision}"] = (
            ours(paths, source, engine, scratch),
            len(paths),
        )
    return ways | plain_keras(folder, sources[0])


def in_each_precision(recipe: Recipe, folder: Path, scratch: Path) -> list[FeatureSource]:
    """Return a recipe's source in each precision that this processor has, float32 first."""
    precisions = ("float32", "int8", *(("bfloat16",) if this_machine().bfloat16 else ()))
    training = functools.partial(training_images, read_dataset(folder))
    return [
        feature_source(
            replace(recipe, precision=precision),
            Execution(cache=scratch / "networks"),
            training=training,
        )
        for precision in precisions
    ]


def ours(
    paths: list[Path], source: FeatureSource, engine: Any, scratch: Path
) -> Callable[[], None]:
    """Return the whole of ``extract features``, from files to synced segments."""

    def run() -> None:
        with (
            tempfile.TemporaryDirectory(dir=scratch) as cache,
            StatIndex(Path(cache, "stat.sqlite")) as index,
        ):
            store = FeatureStore(Path(cache), source.spec)
            plan = source.plan
            extract(
                paths,
                store,
                lambda: engine,
                index,
                batch_size=plan.batch_size,
                workers=plan.workers,
            )

    return run


def forward(engine: Any, images: Any, plan: Any) -> Callable[[], object]:
    """Return the engine's forward pass alone, called as the pipeline calls it."""

    def run() -> None:
        with ThreadPoolExecutor(plan.workers) as pool:
            list(pool.map(engine, batches(images, plan.batch_size)))

    return run


def batches(images: Any, size: int) -> list[Any]:
    """Cut images into batches."""
    return [images[start : start + size] for start in range(0, len(images), size)]


def plain_keras(folder: Path, source: FeatureSource) -> Ways:
    """Return the two ways of Keras' guides, and a good engineer's.

    ``image_dataset_from_directory``, then ``predict``: either batch by batch, as in "Deep Learning
    with Python" (8.3.1, feature extraction without augmentation), or the whole dataset in one
    call. Or a ``tf.function`` over the dataset, which prefetches.
    """
    tensorflow, (base, scale) = load_tensorflow(), keras_network(source)
    run = tensorflow.function(lambda images: base(scale(images), training=False))

    def by_batch() -> None:
        for dataset in keras_datasets(folder):
            for images, _ in dataset:
                base.predict(scale(images), verbose=0)

    def at_once() -> None:
        for dataset in keras_datasets(folder):
            base.predict(dataset.map(lambda images, _: scale(images)), verbose=0)

    def compiled() -> None:
        for dataset in keras_datasets(folder):
            for images, _ in dataset.prefetch(2):
                run(images).numpy()

    count = sum(len(dataset.file_paths) for dataset in keras_datasets(folder))
    return {
        "plain Keras, batch by batch": (by_batch, count),
        "plain Keras, dataset at once": (at_once, count),
        "plain Keras, tf.function and prefetch": (compiled, count),
    }


def keras_network(source: FeatureSource) -> tuple[Any, Any]:
    """Return the network with its weights, and the function that scales pixels for it."""
    keras, name = load_keras(), source.spec.backbone
    builder = {"mobilenet": "MobileNet", "vgg16": "VGG16"}[name]
    base = getattr(keras.applications, builder)(
        include_top=False, weights=None, pooling="avg", input_shape=(224, 224, 3)
    )
    base.load_weights(source.weights)
    return base, getattr(keras.applications, name).preprocess_input


def keras_datasets(folder: Path) -> list[Any]:
    """Return a dataset of each split of a folder, or of the whole."""
    parts = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    if not {"train", "validation"} <= {path.name for path in parts}:
        parts = [folder]
    return [
        load_keras().utils.image_dataset_from_directory(
            part, image_size=(224, 224), shuffle=False, verbose=False
        )
        for part in parts
    ]


def start_torch(weights: Path) -> None:
    """Build MobileNet on Keras' PyTorch backend, in a process of its own."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    network = keras.applications.MobileNet(
        include_top=False, weights=None, pooling="avg", input_shape=(224, 224, 3)
    )
    network.load_weights(weights)
    globals()["torch_network"] = network


def run_torch(images: Any) -> None:
    """Run it eagerly, in the process that has it."""
    import torch

    network = globals()["torch_network"]
    with torch.inference_mode():
        for batch in batches(images, 32):
            network(torch.from_numpy(batch.astype(np.float32) / 127.5 - 1))


if __name__ == "__main__":
    main()
