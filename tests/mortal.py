"""Engines for the workers of a cluster: some die. Imported there, so it holds no tests."""

import os
import signal

import numpy as np

from conftest import FakeEngine
from headstart.errors import CacheError

POISON = (0, 0, 0)  # no picture is so dark but the one that kills


class Mortal(FakeEngine):
    """Kills its process at the third batch of the whole run, once; and at any dark picture.

    Writes a line for each image that it computes into ``computed`` beside the cache.
    """

    def __init__(self, source):
        super().__init__(source)
        self._place = source.cache.parent
        self._calls = 0

    def __call__(self, images):
        self._calls += 1
        if self._calls == 3 and self._first_to_die():
            os.kill(os.getpid(), signal.SIGKILL)
        if (images.mean(axis=(1, 2, 3)) < 20).any():
            os.kill(os.getpid(), signal.SIGKILL)
        with open(self._place / "computed", "ab") as file:
            file.write(b".\n" * len(images))
        return super().__call__(images)

    def _first_to_die(self):
        try:
            os.close(os.open(self._place / "died", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True


class Refusing(FakeEngine):
    """Raises at any dark picture, and counts how often."""

    def __call__(self, images):
        if (images.mean(axis=(1, 2, 3)) < 20).any():
            with open(self.source.cache.parent / "refused", "ab") as file:
                file.write(b".\n")
            raise CacheError("the disk is full")
        return super().__call__(images)


class Unloadable:
    """Cannot be made."""

    def __init__(self, source):
        raise CacheError("no such weights")


def dark(path):
    """Write a picture that kills."""
    from PIL import Image

    Image.fromarray(np.full((48, 64, 3), POISON, np.uint8)).save(path)
    return path
