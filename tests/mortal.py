"""Engines for the workers of a cluster: some die. Imported there, so it holds no tests."""

import os
import signal

import numpy as np

from fakes import FakeEngine
from headstart.errors import CacheError
from headstart.extract.engine.open_engine import MAKERS

POISON = (0, 0, 0)  # no picture is so dark but the one that kills


def first_to_die(place):
    """Tell whether no process has died here before."""
    try:
        os.close(os.open(place / "died", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


class MortalNetwork:
    """The real network, in a process that is killed at its fiftieth batch, once."""

    def __init__(self, engine, place):
        self._engine, self._place, self._calls = engine, place, 0

    def __call__(self, images):
        self._calls += 1
        if self._calls == 50 and first_to_die(self._place):
            os.kill(os.getpid(), signal.SIGKILL)
        return self._engine(images)

    def __getattr__(self, name):
        return getattr(self._engine, name)


def mortal_network(wanted):
    """Open the CPU's engine, and let it be killed."""
    return MortalNetwork(MAKERS["onnxruntime"](wanted), wanted.cache.parent)


class Mortal(FakeEngine):
    """Kills its process at the third batch of the whole run, once; and at any dark picture.

    Writes a line for each image that it computes into ``computed`` beside the cache.
    """

    def __init__(self, wanted):
        super().__init__(wanted)
        self._place = wanted.cache.parent
        self._calls = 0

    def __call__(self, images):
        self._calls += 1
        if self._calls == 3 and first_to_die(self._place):
            os.kill(os.getpid(), signal.SIGKILL)
        if (images.mean(axis=(1, 2, 3)) < 20).any():
            os.kill(os.getpid(), signal.SIGKILL)
        with open(self._place / "computed", "ab") as file:
            file.write(b".\n" * len(images))
        return super().__call__(images)


class Refusing(FakeEngine):
    """Raises at any dark picture, and counts how often."""

    def __call__(self, images):
        if (images.mean(axis=(1, 2, 3)) < 20).any():
            with open(self.wanted.cache.parent / "refused", "ab") as file:
                file.write(b".\n")
            raise CacheError("the disk is full")
        return super().__call__(images)


class Unloadable:
    """Cannot be made."""

    def __init__(self, wanted):
        raise CacheError("no such weights")


def dark(path):
    """Write a picture that kills."""
    from PIL import Image

    Image.fromarray(np.full((48, 64, 3), POISON, np.uint8)).save(path)
    return path
