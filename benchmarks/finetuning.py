"""An epoch of fine-tuning: on cached boundary maps against Keras' ``fit`` with layers frozen.

Run from the project's root: ``make bench``. Keras gets its images decoded and in memory, ours
reads its maps from the cache; both train the same layers from the same head in the same order.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from photographs import SHARED, folders
from timing import Ways, in_turns, report

from headstart.classify.data.split import Split
from headstart.classify.finetune.epochs import CLIP, Examples, Pace, prepare, run_epoch
from headstart.classify.network.epoch_maps import Augmentation, Budget, EpochMaps
from headstart.classify.network.kept_maps import boundary_source
from headstart.classify.network.upper import Network, Upper
from headstart.extract.backbone.backbones import backbone_of, find_backbone
from headstart.extract.backbone.blocks import find_boundary
from headstart.extract.backbone.loading import load_keras
from headstart.extract.decode.decode import decode_views
from headstart.extract.features import load_features
from headstart.extract.images.dataset import read_dataset
from headstart.extract.recipe import Execution, Recipe
from headstart.extract.source import feature_source

VGG16 = SHARED / "weights" / "vgg16_notop.weights.h5"
STEPS = 20  # whose losses must agree
BATCH = 32
PACE = Pace(1e-5, 1.0, 0.0, 0.0, epochs=1000, steps=1, seed=0)


def main() -> None:
    """Measure MobileNet with two blocks unfrozen and VGG16 with one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--vgg16-images", type=int, default=96)
    parser.add_argument("--only", choices=["mobilenet", "vgg16"])
    options = parser.parse_args()
    tables, losses = {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = folders(Path(scratch))[-1]
        jobs = [("mobilenet", "imagenet", "2", options.images)]
        if VGG16.exists():
            jobs.append(("vgg16", str(VGG16), "block5", options.vgg16_images))
        for backbone, weights, unfreeze, count in jobs:
            if options.only not in (None, backbone):
                continue
            job = Job(folder, Path(scratch), backbone, weights, unfreeze, count)
            losses[backbone] = job.disagreement()
            title = f"{backbone}, --unfreeze {unfreeze}, {count} of {folder.name}"
            tables[title] = in_turns(job.ways(), options.rounds)
    report("finetuning", tables, "images")
    for backbone, worst in losses.items():
        print(f"{backbone}: losses of the first {STEPS} steps agree to {worst:.1e} relative")


class Job:
    """One backbone on some images: the same training, with the cache and without."""

    def __init__(
        self, folder: Path, scratch: Path, backbone: str, weights: str, unfreeze: str, count: int
    ) -> None:
        images = read_dataset(folder).images
        images = images[:: max(1, len(images) // count)][:count]
        classes = sorted({image.label for image in images})
        self.classes = len(classes)
        self.paths = [image.path for image in images]
        self.y = np.array([classes.index(image.label) for image in images])
        self.source = feature_source(Recipe(backbone, weights), Execution(cache=scratch / "cache"))
        features = load_features(self.paths, self.source)
        self.digests = features.digests
        rng = np.random.default_rng(0)
        # Any head will do for a clock; this one makes losses that are neither 0 nor infinite.
        scale = 1 / np.linalg.norm(features.X, axis=1).mean()
        kernel = scale * rng.normal(size=(features.X.shape[1], self.classes))
        self.head = kernel.astype(np.float32), np.zeros(self.classes, dtype=np.float32)
        self.below = find_boundary(find_backbone(backbone).build(), unfreeze)

    def ways(self) -> Ways:
        """Return an epoch on cached maps, with cached views, with views on the fly, by Keras."""
        count = len(self.paths)
        ways: Ways = {}
        for name, kind in (
            ("headstart, cached boundary", "none"),
            ("headstart, --augment views", "views"),
            ("headstart, --augment on-the-fly", "on-the-fly"),
        ):
            upper = self.upper()
            maps = self.maps(Augmentation(kind, 2))
            stream = maps.training(np.arange(count))
            examples = Examples(stream, self.y, None, self.y[:0])
            for epoch in (1, 2) if kind == "views" else (1,):
                stream(epoch)  # computed once, before the clock starts
            ways[name] = (Epochs(upper, examples), count)
        keras = self.uncached()
        pixels = self.pixels()
        one_hot = np.eye(self.classes, dtype=np.float32)[self.y]
        fit = functools.partial(keras.fit, pixels, one_hot, batch_size=BATCH, verbose=0)
        return ways | {"Keras' fit, no cache": (fit, count)}

    def disagreement(self) -> float:
        """Return the largest relative difference of losses between cached and uncached steps."""
        upper, keras = self.upper(), self.uncached()
        stream = self.maps(Augmentation()).training(np.arange(len(self.paths)))(1)
        pixels, one_hot = self.pixels(), np.eye(self.classes, dtype=np.float32)[self.y]
        worst = 0.0
        for step in range(STEPS):
            rows = np.arange(step * BATCH, (step + 1) * BATCH) % len(self.y)
            ours = float(upper.model.train_on_batch(stream.read(rows), one_hot[rows])[0])
            theirs = float(keras.train_on_batch(pixels[rows], one_hot[rows])[0])
            worst = max(worst, abs(ours - theirs) / abs(theirs))
        return worst

    def upper(self) -> Upper:
        """Return the layers above the boundary, ready to train."""
        upper = self.network().above(self.below)
        upper.set_head(*self.head)
        prepare(upper, PACE)
        return upper

    def uncached(self) -> Any:
        """Return the whole network from pixels, frozen below the same boundary, for ``fit``."""
        keras = load_keras()
        network = self.network()
        upper = network.above("pixels")
        upper.set_head(*self.head)
        whole = upper.model
        moving = {layer for block in network.above(self.below).blocks for layer in block.layers}
        for layer in whole.layers:
            for inner in getattr(layer, "layers", []):
                inner.trainable = inner.name in moving
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        whole.compile(
            keras.optimizers.Adam(PACE.learning_rate, global_clipnorm=CLIP),
            loss,
            metrics=["accuracy"],
        )
        return whole

    def network(self) -> Network:
        """Return a copy of the backbone with a head on it."""
        backbone = backbone_of(self.source.spec).load(self.source.weights)
        return Network(self.source.spec, backbone, self.classes)

    def maps(self, augmentation: Augmentation) -> EpochMaps:
        """Return the boundary maps of all images, cached unless they change each epoch."""
        every = np.arange(len(self.paths))
        dimension = self.network().width(self.below)
        return EpochMaps(
            boundary_source(self.source, self.below),
            dimension,
            self.paths,
            self.digests,
            Split(every, every[:0], every[:1], "test"),
            augmentation,
            2,
            Budget(None, 4 << 30),
        )

    def pixels(self) -> Any:
        """Return the images decoded, (n, height * width * 3), float32."""
        spec = self.source.spec
        images = [decode_views(p.read_bytes(), spec.input_size, spec.resize)[0] for p in self.paths]
        return np.stack(images).reshape(len(images), -1).astype(np.float32)


class Epochs:
    """One epoch more at each call."""

    def __init__(self, upper: Upper, examples: Examples) -> None:
        self.upper, self.examples, self.epoch = upper, examples, 0

    def __call__(self) -> None:
        """Run it."""
        self.epoch += 1
        steps = -(-len(self.examples.y) // BATCH)
        pace = replace(PACE, epochs=self.epoch, steps=steps)
        run_epoch(self.upper.model, self.examples, pace, self.epoch, lambda *told: None)


if __name__ == "__main__":
    main()
