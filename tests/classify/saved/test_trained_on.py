"""Marks of training images."""

import hashlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.classify.saved.trained_on import from_bytes, marks_of, seen_among, to_bytes
from headstart.errors import ModelError

DIGESTS = st.lists(st.integers(0, 400).map(lambda n: hashlib.sha256(bytes([n % 256])).digest()))


@given(DIGESTS, DIGESTS)
def test_marks_find_the_images_they_were_made_of_and_no_others(trained, new):
    marks = from_bytes(to_bytes(marks_of(trained)))
    assert seen_among(marks, new).tolist() == [digest in trained for digest in new]
    assert len(marks) == len(set(trained))


def test_a_mark_takes_eight_bytes():
    many = [hashlib.sha256(n.to_bytes(4, "big")).digest() for n in range(1000)]
    assert len(to_bytes(marks_of(many))) <= 8 * 1000 + 128


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((2, 2), np.uint64), b"x", b""])
def test_other_arrays_are_refused(array):
    buffer = io.BytesIO()
    if isinstance(array, bytes):
        buffer.write(array)
    else:
        np.save(buffer, array)
    with pytest.raises(ModelError, match="the marks of the training images"):
        from_bytes(buffer.getvalue())


def test_pickled_arrays_are_refused():
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ModelError, match="cannot be read"):
        from_bytes(buffer.getvalue())
