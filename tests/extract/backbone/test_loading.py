"""Standard error, held back while TensorFlow loads, comes back."""

import os
import threading

import pytest

from headstart.extract.backbone.loading import stderr_held_back


def test_of_two_threads_that_overlap_neither_keeps_standard_error():
    before = os.fstat(2)
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))

    def first():
        with stderr_held_back():
            first_is_in.set()
            second_is_in.wait(0.2)  # which it cannot be, yet
        first_is_out.set()

    def second():
        first_is_in.wait()
        with stderr_held_back():
            second_is_in.set()
            first_is_out.wait()

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert os.path.samestat(os.fstat(2), before)


def test_what_a_block_that_fails_has_written_is_let_out(capfd):
    def fails():
        with stderr_held_back():
            os.write(2, b"why it failed")
            raise OSError("no")

    with pytest.raises(OSError, match="no"):
        fails()
    assert capfd.readouterr().err == "why it failed"
    with stderr_held_back():
        os.write(2, b"chatter")
    assert capfd.readouterr().err == ""
