"""SIGINT, SIGTERM, SIGHUP: what is in flight is finished and kept, and the last line says how to go on."""

import os
import re
import signal
import subprocess
import sys
import threading

import pytest

from headstart.cache import FeatureStore
from headstart.cache.catalogue import specs
from headstart.stopping import Stopped, sheltered, signals_stop
from pictures import paint

# The engine signals its own process in its second batch, then finishes the batch.
COMMAND = """
import os, sys
from headstart import cli
from headstart.extract.engine.open_engine import MAKERS
class Engine:
    name, device, notes, widths = "fake", "cpu", (), (7,)
    calls = 0
    def __init__(self, source): pass
    def __call__(self, images):
        Engine.calls += 1
        if Engine.calls == 2:
            for _ in range({times}):
                os.kill(os.getpid(), {number})
        return images.reshape(len(images), -1)[:, :7].astype("float32")
MAKERS.update(dict.fromkeys(MAKERS, Engine))
sys.argv = ["headstart", *sys.argv[1:]]
cli.main()
"""


pytestmark = pytest.mark.usefixtures("heeded_signals")


def run(folder, number, *arguments, times=1):
    return subprocess.run(
        [sys.executable, "-c", COMMAND.format(number=int(number), times=times), *arguments],
        cwd=folder,
        env={**os.environ, "HEADSTART_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_finishes_the_batch_says_how_to_go_on_and_exits(tmp_path, number, status):
    for n in range(30):
        paint(tmp_path / "data" / "red" / f"{n}.png", (200, 50, 40), n, (8, 9))
    arguments = ("extract", "features", "data", "--batch-size", "5", "--workers", "1")
    stopped = run(tmp_path, number, *arguments)
    assert stopped.returncode == status, stopped.stderr
    assert "stopping; what is finished is kept" in stopped.stderr
    last = stopped.stderr.splitlines()[-1]
    told = re.fullmatch(
        r"error: stopped: (\d+) of 30 images are done and safe; the same command goes on from there",
        last,
    )
    done = int(told[1])
    assert done in (10, 15), "the batch in flight, and one that had been handed out"
    (spec, _) = specs(tmp_path / "cache")[0]
    assert len(FeatureStore(tmp_path / "cache", spec)) == done
    again = run(tmp_path, 0, *arguments)
    assert f"30 images: {30 - done} extracted, {done} reused" in again.stdout


def test_outside_an_extraction_a_signal_stops_at_once(capsys):
    with pytest.raises(Stopped) as stopped, signals_stop(lambda: None):
        os.kill(os.getpid(), signal.SIGTERM)
    assert stopped.value.number == signal.SIGTERM


def test_a_sheltered_block_hears_the_first_signal_and_the_second_breaks_it():
    told = []
    before = signal.getsignal(signal.SIGINT)

    def work():
        with signals_stop(lambda: told.append(1)), sheltered() as shelter:
            os.kill(os.getpid(), signal.SIGINT)
            assert shelter.wanted == signal.SIGINT
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped) as stopped:
        work()
    assert stopped.value.number == signal.SIGTERM
    assert told == [1]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_that_is_to_be_ignored_is_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with signals_stop(lambda: None):
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_threads_shelter_does_not_keep_the_main_thread_from_stopping():
    inside, leave = threading.Event(), threading.Event()

    def work():
        with sheltered():
            inside.set()
            leave.wait()

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    with pytest.raises(Stopped), signals_stop(lambda: None):
        os.kill(os.getpid(), signal.SIGINT)
    leave.set()
    thread.join()
