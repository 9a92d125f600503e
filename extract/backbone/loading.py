"""TensorFlow, loaded late and quietly."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

_HELD_BACK = threading.RLock()


@functools.cache
def load_tensorflow() -> Any:
    """Import TensorFlow without a line on the user's terminal; return the module.

    GPUs are told to take memory as they need it, so that others may use them too.

    Raises
    ------
    ImportError
        With what the import itself had written to standard error.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # the runtime's C++ log: fatal only
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # TensorFlow takes oneDNN by itself only where there is AVX-512; AVX2 gains as much by it.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with stderr_held_back():
        import tensorflow

        for gpu in tensorflow.config.list_physical_devices("GPU"):
            tensorflow.config.experimental.set_memory_growth(gpu, True)
        tensorflow.zeros(1)  # starts the runtime, which logs once
    tensorflow.get_logger().setLevel("ERROR")
    return tensorflow


def load_keras() -> Any:
    """Import Keras on TensorFlow, quietly; return the module."""
    load_tensorflow()
    import keras

    return keras


def without_autotune(dataset: Any) -> Any:
    """Return a ``tf.data.Dataset`` whose iterators are let go as soon as they are read.

    The thread that tunes a pipeline looks after it after 10, 20, 40 … ms, and an iterator is
    not let go before that thread wakes: an epoch of 2.6 s would last 5.1.
    """
    options = load_tensorflow().data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


@contextlib.contextmanager
def stderr_held_back() -> Iterator[None]:
    """Keep the process's standard error, C++ libraries' included, off the terminal.

    TensorFlow and TensorFlow Lite write to file descriptor 2, whatever the log level says. If
    the block fails, everything held back is let out. One thread at a time: of two that overlap
    the later would take the earlier's file for the terminal, and leave it there.
    """
    with _HELD_BACK, tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        terminal = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(terminal, held.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
