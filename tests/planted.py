"""Photographs on which a planted patch alone decides the class, at random places."""

from __future__ import annotations

import numpy as np
from PIL import Image

SIDE = 84  # pixels of the patch: 2.6 cells of the last maps of 7 x 7
SIZES = ((224, 300), (300, 224))  # height and width: not square, so that the resize rule matters

EVEN = np.arange(SIDE) // 7 % 2
STRIPES = np.where(EVEN[:, None, None], (200, 40, 40), (250, 240, 230)) * np.ones((1, SIDE, 1))
CHECKS = np.where((EVEN[:, None] ^ EVEN[None, :])[..., None], (30, 60, 190), (240, 220, 60))
RINGS = np.hypot(*(np.indices((SIDE, SIDE)) - SIDE / 2 + 0.5)) // 7 % 2
PATCHES = {
    "checks": CHECKS,
    "rings": np.where(RINGS[..., None], (20, 120, 60), (240, 240, 240)),
    "stripes": STRIPES,
}


def plant(path, label, seed):
    """Write one picture; return the patch's box in shares of it: left, top, right, bottom."""
    random = np.random.default_rng(seed)
    height, width = SIZES[seed % 2]
    coarse = random.integers(60, 190, (height // 20 + 1, width // 20 + 1, 3)).astype(np.uint8)
    ground = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(ground).astype(int) + random.integers(-12, 13, (height, width, 3))
    # Within the middle square, which every resize rule shows.
    margin = (max(height, width) - 224) // 2
    low = np.array([margin if side > 224 else 0 for side in (height, width)])
    top, left = low + random.integers(0, 224 - SIDE + 1, 2)
    pixels[top : top + SIDE, left : left + SIDE] = PATCHES[label]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
    return left / width, top / height, (left + SIDE) / width, (top + SIDE) / height


def plant_dataset(root, training=12, held_out=4):
    """Write a dataset with splits; return the boxes of its test images by path."""
    boxes = {}
    for c, label in enumerate(PATCHES):
        for number in range(training + held_out):
            part = "train" if number < training else "test"
            path = root / part / label / f"{number}.png"
            box = plant(path, label, seed=1000 * c + number)
            if part == "test":
                boxes[path] = box
    return boxes
