"""Photographs on which a planted patch alone decides the class, at random places."""

from __future__ import annotations

import numpy as np
from PIL import Image

SIDE = 84  # pixels of the patch: 2.6 cells of the last maps of 7 x 7, in the middle square
SIDE_OF_WHOLE = 112  # as many cells where the whole photograph is shrunk, 300 pixels to 224
CLASSES = ("checks", "rings", "stripes")
SIZES = ((224, 300), (300, 224))  # height and width: not square, so that the resize rule matters


def patterns(side):
    """Return the patch of each class, (side, side, 3), with stripes of a twelfth."""
    even = np.arange(side) // (side // 12) % 2
    rings = np.hypot(*(np.indices((side, side)) - side / 2 + 0.5)) // (side // 12) % 2
    return {
        "checks": np.where(
            (even[:, None] ^ even[None, :])[..., None], (30, 60, 190), (240, 220, 60)
        ),
        "rings": np.where(rings[..., None], (20, 120, 60), (240, 240, 240)),
        "stripes": np.where(even[:, None, None], (200, 40, 40), (250, 240, 230))
        * np.ones((1, side, 1)),
    }


def plant(path, label, seed, side):
    """Write one picture; return the patch's box in shares of it: left, top, right, bottom."""
    random = np.random.default_rng(seed)
    height, width = SIZES[seed % 2]
    coarse = random.integers(60, 190, (height // 20 + 1, width // 20 + 1, 3)).astype(np.uint8)
    ground = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(ground).astype(int) + random.integers(-12, 13, (height, width, 3))
    # Within the middle square, which every resize rule shows.
    margin = (max(height, width) - 224) // 2
    low = np.array([margin if length > 224 else 0 for length in (height, width)])
    top, left = low + random.integers(0, 224 - side + 1, 2)
    pixels[top : top + side, left : left + side] = patterns(side)[label]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
    return left / width, top / height, (left + side) / width, (top + side) / height


def plant_dataset(root, side=SIDE, training=12, held_out=4):
    """Write a dataset with splits; return the boxes of its test images by path."""
    boxes = {}
    for c, label in enumerate(CLASSES):
        for number in range(training + held_out):
            part = "train" if number < training else "test"
            path = root / part / label / f"{number}.png"
            box = plant(path, label, seed=1000 * c + number, side=side)
            if part == "test":
                boxes[path] = box
    return boxes
