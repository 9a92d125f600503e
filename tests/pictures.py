"""Small pictures, the same wherever they are asked for."""

from __future__ import annotations

import numpy as np
from PIL import Image

from headstart.extract.decode.decode import decode_views

COLOURS = {"blue": (40, 60, 200), "green": (50, 180, 60), "red": (200, 50, 40)}

# What a page, a plot or a table must show as text and nothing else.
HOSTILE = (
    "<script>document.title='owned'</script>",
    "\"'><img src=x onerror=alert(1)>",
    "$\\frac$ | *é*",
)


def paint(path, colour, seed, size=(48, 64)):
    """Write one picture of a colour with noise."""
    noise = np.random.default_rng(seed).integers(-40, 41, (*size, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)).save(path)
    return path


def decode(*arguments, **options):
    """Return the only view of an image file's bytes."""
    (view,) = decode_views(*arguments, **options)
    return view


def paint_photographs(root):
    """Write the same pictures wherever they are asked for."""
    for c, (name, colour) in enumerate(COLOURS.items()):
        for number in range(10):
            ending = "png" if number % 5 == 0 else "jpg"
            paint(root / name / f"{number}.{ending}", colour, seed=100 * c + number)
    return root


def paint_splits(root, **counts):
    """Write so many pictures of each colour into each split: the first are numbered from 0."""
    parts = [split for split, count in counts.items() for _ in range(count)]
    for c, (name, colour) in enumerate(COLOURS.items()):
        for number, part in enumerate(parts):
            paint(root / part / name / f"{number}.png", colour, seed=10 * c + number)
    return root
