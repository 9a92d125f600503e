"""Claims between processes: who computes what, and what happens when a holder ends."""

import hashlib
import subprocess
import sys

import pytest

from fakes import Listening
from headstart.cache import Claims, FeatureSpec, FeatureStore, StatIndex
from headstart.extract.images.dataset import read_dataset
from headstart.extract.pipeline import extract
from headstart.progress import heard_by

SPEC = FeatureSpec("fake", "0" * 64, ("top",), "avg", (32, 32), "crop", "none", "float32", 1)

HOLD = """
import sys
from pathlib import Path
from headstart.cache import Claims
with Claims(Path(sys.argv[1]), Path(sys.argv[2])) as claims:
    print(claims.claim(bytes.fromhex(sys.argv[3])), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold(tmp_path):
    """Let another process claim an image until its input is closed."""
    held = []

    def begin(digest, folder):
        child = subprocess.Popen(
            [sys.executable, "-c", HOLD, tmp_path / "claims", folder, digest.hex()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        held.append(child)
        assert child.stdout.readline() == "True\n"
        return child

    yield begin
    for child in held:
        child.stdin.close()
        child.stdout.close()
        child.wait()


def test_what_another_process_has_is_not_free_until_it_ends(hold, tmp_path):
    digest = b"d" * 32
    child = hold(digest, tmp_path / "cache")
    with Claims(tmp_path / "claims", tmp_path / "cache") as claims:
        assert not claims.claim(digest)
        assert claims.claim(b"e" * 32), "another image"
        with Claims(tmp_path / "claims", tmp_path / "other") as elsewhere:
            assert elsewhere.claim(digest), "of another cache or spec"
        child.kill()
        child.wait()
        assert claims.claim(digest)


def test_where_nothing_can_be_locked_everything_is_free(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with Claims(tmp_path / "file" / "claims", tmp_path) as claims:
        assert claims.claim(b"d" * 32)
        claims.wait(b"d" * 32)
        claims.release([b"d" * 32])


def test_a_run_says_that_it_waits_and_computes_what_the_other_did_not(
    hold, photographs, tmp_path, fake_engine
):
    paths = [image.path for image in read_dataset(photographs).images]
    store = FeatureStore(tmp_path / "cache", SPEC)
    child = hold(hashlib.sha256(paths[3].read_bytes()).digest(), store.folder)
    told = []

    class Letting(Listening):
        def note(self, line):
            told.append((line, len(FeatureStore(tmp_path / "cache", SPEC))))
            child.stdin.close()

    with StatIndex(tmp_path / "stat.sqlite") as index, heard_by(Letting()):
        result = extract(paths, store, fake_engine, index, batch_size=4, workers=2)
    assert told == [("waiting for 1 images that other processes are computing", 29)]
    assert (result.extracted, fake_engine.images) == (30, 30)
