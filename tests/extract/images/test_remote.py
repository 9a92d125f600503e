"""Images and cache behind URLs: on a real S3 server, and in memory where logic is all."""

import contextlib
import http.server
import itertools
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from headstart import ImageFeatures, load, storage
from headstart.cache import (
    FeatureStore,
    UnsentError,
    cache_folder,
    default_cache,
    place_of,
    remote,
    store,
)
from headstart.cache.compact import compact
from headstart.cache.verify import verify
from headstart.errors import DataError, DecodeError, OptionError
from headstart.extract.decode.decode import MAX_PIXELS
from headstart.extract.images.dataset import read_dataset
from headstart.extract.images.places import references
from headstart.extract.images.read import read_image
from headstart.extract.images.remote import Remote, signature_of
from headstart.extract.recipe import Execution
from headstart.extract.source import feature_source
from s3 import CREDENTIALS, ROWS, SPEC, Line, s3_server, segment, upload
from shards import WRITERS

fsspec = pytest.importorskip("fsspec", reason="object storage: headstart[cloud] is not installed")

numbers = itertools.count()
FAILED_LOOK_UP = "cannot look up: no such file or bucket"


@pytest.fixture(scope="module")
def server():
    """An S3 server on loopback."""
    with s3_server() as running:
        yield running


@pytest.fixture
def bucket(server):
    """The URL of an empty bucket."""
    with server.bucket() as url:
        yield url


@pytest.fixture
def memory():
    """The URL of an empty folder in memory."""
    fsspec.filesystem("memory").store.clear()
    yield "memory://bucket"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    """Look at the other side every time, and do not wait between attempts."""
    monkeypatch.setattr(store, "FETCH_SECONDS", 0.0)
    monkeypatch.setattr(storage, "PAUSE", 0.0)


def listed(url):
    system, path = storage.file_system(url)
    return sorted(name.rpartition("/")[2] for name in system.find(path))


def rows(number, count=3):
    digests = [bytes([number]) * 31 + bytes([at]) for at in range(count)]
    return digests, np.full((count, 4), number, dtype=np.float32)


def other_machine(monkeypatch, tmp_path):
    """Become a machine with a mirror of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"machine-{next(numbers)}"))


def test_images_and_cache_on_the_s3_server_give_the_same_features(
    bucket, photographs, headstart, tmp_path, at_rest, fake_engine
):
    upload(photographs, f"{bucket}/photographs")
    here = ("--cache", tmp_path / "cache", "--json")
    there = ("--cache", f"{bucket}/cache", "--json")
    status, out, _ = headstart("extract", "features", photographs, *here)
    assert (status, json.loads(out)["extracted"]) == (0, 30)
    status, out, _ = headstart("extract", "features", f"{bucket}/photographs", *there)
    told = json.loads(out)
    assert (status, told["images"], told["extracted"], told["failed"]) == (0, 30, 30, [])
    assert told["cache"] == f"{bucket}/cache"
    assert told["ledger"][0]["path"] == f"{bucket}/photographs/blue/0.png"
    spec = next(one for one in (tmp_path / "cache").iterdir() if one.name.startswith("mobilenet"))
    assert any(name.endswith(".h5") for name in listed(f"{bucket}/cache"))

    from headstart.cache.catalogue import specs

    ((found, _),) = specs(tmp_path / "cache")
    local = FeatureStore(tmp_path / "cache", found)
    remote_store = FeatureStore(cache_folder(f"{bucket}/cache"), found)
    digests = sorted(local.digests())
    assert remote_store.digests() == local.digests()
    np.testing.assert_array_equal(remote_store.read(digests), local.read(digests))
    assert spec.name == found.folder

    status, out, _ = headstart("extract", "features", f"{bucket}/photographs", *there)
    told = json.loads(out)
    assert (status, told["extracted"], told["reused"]) == (0, 0, 30)


def test_unchanged_objects_are_not_read_again_and_changed_ones_are(
    bucket, photographs, headstart, tmp_path, monkeypatch
):
    upload(photographs, f"{bucket}/photographs")
    command = ("extract", "features", f"{bucket}/photographs", "--cache", tmp_path / "c", "--json")
    assert headstart(*command)[0] == 0
    read = []
    whole = Remote.read
    monkeypatch.setattr(Remote, "read", lambda self, n: (read.append(self.name), whole(self, n))[1])
    assert json.loads(headstart(*command)[1])["reused"] == 30
    assert read == []
    upload(photographs / "red" / "1.jpg", f"{bucket}/photographs/blue/1.jpg")
    assert json.loads(headstart(*command)[1])["duplicates"] == 1
    assert read == ["1.jpg"]


def test_a_listing_takes_a_request_a_page_and_none_an_image(bucket, server, monkeypatch):
    from moto.s3.models import s3_backends

    backend = s3_backends["123456789012"]["aws"]
    name = bucket.removeprefix("s3://")
    for label, number in itertools.product("ab", range(600)):
        backend.put_object(name, f"many/{label}/{number}.jpg", b"x")
    with contextlib.closing(Line(server.address)) as line:
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.url)
        fsspec.filesystem("s3").clear_instance_cache()
        dataset = read_dataset(f"{bucket}/many")
    assert len(dataset.images) == 1200
    assert all(image.path.stat().st_size == 1 for image in dataset.images)
    assert line.requests == [b"GET", b"GET"]


@pytest.mark.parametrize("ending", WRITERS)
def test_shards_on_the_s3_server_are_streamed(bucket, tmp_path, ending):
    samples = [(bytes([n]) * (50_000 + n), "ab"[n % 2]) for n in range(40)]
    for name in ("train-0", "train-1", "test-0"):
        WRITERS[ending](tmp_path / "shards" / f"{name}{ending}", samples)
    upload(tmp_path / "shards", f"{bucket}/shards")
    for place in (f"{bucket}/shards", f"{bucket}/shards/train-{{0..1}}{ending}"):
        dataset = read_dataset(place)
        assert set(dataset.splits) <= {"train", "test"}
        found = [(read_image(image.path, MAX_PIXELS)[1], image.label) for image in dataset.images]
        assert found == samples * (len(found) // 40)
    one = dataset.images[3].path
    assert references(str(one)) == [one]


@pytest.mark.parametrize("ending", WRITERS)
def test_a_shard_there_is_fetched_in_blocks_not_image_by_image(
    bucket, server, monkeypatch, tmp_path, ending
):
    draw = np.random.default_rng(0)
    samples = [(draw.bytes(100_000), "ab"[n % 2]) for n in range(100)]
    upload(WRITERS[ending](tmp_path / f"a{ending}", samples), f"{bucket}/a{ending}")
    with contextlib.closing(Line(server.address)) as line:
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.url)
        fsspec.filesystem("s3").clear_instance_cache()
        images = [image.path for image in read_dataset(f"{bucket}/a{ending}").images]
        line.requests.clear()
        assert [read_image(image, MAX_PIXELS)[1] for image in images] == [s for s, _ in samples]
        assert len(line.requests) <= 6  # 10 MB in blocks of 4 MB
        line.requests.clear()
        assert [image.path for image in read_dataset(f"{bucket}/a{ending}").images] == images
        assert line.requests.count(b"GET") <= 1


def test_python_takes_a_cache_behind_a_url(memory, monkeypatch, fake_engine):
    source = ImageFeatures(cache=f"{memory}/cache")._source()
    assert source.cache == cache_folder(f"{memory}/cache")
    monkeypatch.setenv("HEADSTART_CACHE", f"{memory}/cache")
    assert default_cache() == source.cache


def test_a_loaded_model_keeps_its_cache_behind_a_url(memory, trained, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    classifier = load(trained()[0], cache=f"{memory}/cache")
    assert classifier._source.cache == cache_folder(f"{memory}/cache")
    assert not (tmp_path / "memory:").exists()


def test_a_manifest_there_names_images_here_and_there(bucket, photographs):
    upload(photographs, f"{bucket}/some/photographs")
    lines = [f"photographs/red/{n}.jpg,red" for n in (1, 2, 3, 4, 6, 7, 8, 9)]
    lines += [f"{bucket}/some/photographs/blue/1.jpg,blue", f"{photographs}/blue/2.jpg,blue"]
    system, path = storage.file_system(f"{bucket}/some/m.csv")
    system.pipe_file(path, "\n".join(["path,label", *lines[:-1]]).encode())
    images = read_dataset(f"{bucket}/some/m.csv").images
    assert [i.path.signature is not None for i in images] == [True] * 8 + [False]
    assert all(read_image(i.path, MAX_PIXELS)[1] for i in images)
    system.pipe_file(path, "\n".join(["path,label", *lines[:8], "photographs/red/x,red"]).encode())
    with pytest.raises(DataError, match=r"line 10: no such file: s3://.*/photographs/red/x"):
        read_dataset(f"{bucket}/some/m.csv")


def test_a_folder_there_is_laid_out_as_one_here(memory, photographs, tmp_path):
    root = tmp_path / "split"
    for split in ("train", "test"):
        shutil.copytree(photographs, root / split)
    (root / "notes.txt").write_text("x")
    (root / "train" / ".hidden").write_text("x")
    upload(root, f"{memory}/split")
    here, there = read_dataset(root), read_dataset(f"{memory}/split")
    assert [(i.path.name, i.label, i.split) for i in there.images] == sorted(
        [(i.path.name, i.label, i.split) for i in here.images], key=lambda one: one[2]
    )
    assert "notes.txt" in there.warnings[0]


def test_what_a_machine_writes_another_reads(memory, tmp_path, monkeypatch):
    cache = cache_folder(f"{memory}/cache")
    FeatureStore(cache, SPEC).append(*rows(1))
    other_machine(monkeypatch, tmp_path)
    elsewhere = cache_folder(f"{memory}/cache")
    assert elsewhere != cache
    assert place_of(elsewhere / SPEC.folder) == f"{memory}/cache/{SPEC.folder}"
    second = FeatureStore(elsewhere, SPEC)
    assert second.read(rows(1)[0])[0, 0] == 1
    second.append(*rows(2))
    first = FeatureStore(cache, SPEC)
    assert len(first) == 6
    second.append(*rows(3))
    first.refresh()
    assert len(first) == 9


def test_a_source_that_travels_takes_the_url_and_finds_the_mirror_there(
    memory, tmp_path, monkeypatch
):
    here = cache_folder(f"{memory}/cache")
    sent = pickle.dumps(feature_source(execution=Execution(cache=here)))
    other_machine(monkeypatch, tmp_path)
    source = pickle.loads(sent)
    assert source.cache == source.execution.cache == cache_folder(f"{memory}/cache")
    assert source.cache != here
    local = pickle.loads(pickle.dumps(Execution(cache=tmp_path)))
    assert local == Execution(cache=tmp_path)


def test_a_failed_put_is_told_loses_nothing_and_is_made_up_for(memory, monkeypatch):
    cache = cache_folder(f"{memory}/cache")
    first = FeatureStore(cache, SPEC)

    def fail(*args, **kwargs):
        raise ConnectionError("connection reset")

    with monkeypatch.context() as patch:
        patch.setattr(type(fsspec.filesystem("memory")), "put_file", fail)
        with pytest.raises(UnsentError, match=r"connection reset.*next run puts them"):
            first.append(*rows(1))
    assert listed(memory) == []
    assert len(first) == 3
    again = FeatureStore(cache, SPEC)
    assert len(again) == 3
    assert len(listed(memory)) == 1


def test_a_run_whose_put_fails_is_told_in_one_line_and_its_rows_serve_the_next(
    memory, photographs, headstart, monkeypatch
):
    command = ("extract", "features", photographs, "--cache", f"{memory}/cache", "--json")

    def fail(*args, **kwargs):
        raise PermissionError("Access Denied")

    with monkeypatch.context() as patch:
        patch.setattr(type(fsspec.filesystem("memory")), "put_file", fail)
        status, out, err = headstart(*command)
    assert (status, out) == (1, "")
    assert "cannot put segment" in err.splitlines()[-1]
    status, out, _ = headstart(*command)
    assert (status, json.loads(out)["extracted"], json.loads(out)["reused"]) == (0, 0, 30)
    assert len(listed(memory)) == 1


def test_compaction_there_leaves_merged_segments_alone(memory, tmp_path, monkeypatch):
    cache = cache_folder(f"{memory}/cache")
    first = FeatureStore(cache, SPEC)
    for number in (1, 2, 3, 1):
        first.append(*rows(number))
    other_machine(monkeypatch, tmp_path)
    reader = FeatureStore(cache_folder(f"{memory}/cache"), SPEC)
    assert len(listed(memory)) == 4
    other_machine(monkeypatch, tmp_path)
    (result,) = compact(cache_folder(f"{memory}/cache"))
    assert (result.before, result.after, result.rows, result.duplicates) == (4, 1, 9, 3)
    assert len(listed(memory)) == 1
    for held in (first, reader):
        held.refresh()
        assert len(held) == 9
        assert held.read(rows(2)[0])[0, 0] == 2
        assert [p.name for p in held.folder.glob("*.h5")] == listed(memory)


def test_what_another_machine_cleared_is_gone_here_and_not_put_again(
    memory, tmp_path, monkeypatch, headstart
):
    first = FeatureStore(cache_folder(f"{memory}/cache"), SPEC)
    first.append(*rows(1))
    home = os.environ["XDG_CACHE_HOME"]
    other_machine(monkeypatch, tmp_path)
    status, out, _ = headstart("cache", "clear", "--cache", f"{memory}/cache", "--yes", "--json")
    told = json.loads(out)
    assert (status, told["cache"], told["removed"][0]["files"]) == (0, f"{memory}/cache", 1)
    assert listed(memory) == []
    monkeypatch.setenv("XDG_CACHE_HOME", home)
    assert len(FeatureStore(cache_folder(f"{memory}/cache"), SPEC)) == 0
    assert listed(memory) == []


def test_what_is_damaged_there_is_found_told_and_removed(memory, tmp_path, monkeypatch, headstart):
    FeatureStore(cache_folder(f"{memory}/cache"), SPEC).append(*rows(1))
    system, path = storage.file_system(memory)
    (name,) = system.find(path)
    data = bytearray(system.cat_file(name))
    data[len(data) // 2] ^= 0xFF
    system.pipe_file(name, bytes(data))
    # It is read there, whole as the mirror's copy is.
    verification = verify(cache_folder(f"{memory}/cache"))
    assert len(verification.problems) == 1
    assert len(listed(memory)) == 1
    other_machine(monkeypatch, tmp_path)
    held = FeatureStore(cache_folder(f"{memory}/cache"), SPEC)
    assert len(held) == 0
    assert f"as {memory}/cache has it" in str(held.damaged[0])
    assert listed(memory) == []
    assert len(list(held.folder.glob("*.damaged"))) == 1

    held.append(*rows(1))
    status, _, _ = headstart("cache", "verify", "--cache", f"{memory}/cache")
    assert status == 0


def test_verify_mends_there_too(memory, headstart):
    FeatureStore(cache_folder(f"{memory}/cache"), SPEC).append(*rows(1))
    system, path = storage.file_system(memory)
    (name,) = system.find(path)
    system.pipe_file(name, system.cat_file(name)[:-100])
    status, _, err = headstart("cache", "verify", "--cache", f"{memory}/cache", "--mend")
    assert status == 1
    assert "set aside" in err
    assert listed(memory) == []
    assert headstart("cache", "verify", "--cache", f"{memory}/cache")[0] == 0


def test_a_copy_that_rots_here_is_fetched_again(memory):
    first = FeatureStore(cache_folder(f"{memory}/cache"), SPEC)
    path = first.append(*rows(1))
    path.write_bytes(path.read_bytes()[:-100])
    again = FeatureStore(cache_folder(f"{memory}/cache"), SPEC)
    assert len(again.damaged) == 1
    assert again.read(rows(1)[0])[0, 0] == 1
    assert len(listed(memory)) == 1


def test_the_cache_is_looked_after_by_its_url(memory, headstart):
    FeatureStore(cache_folder(f"{memory}/cache"), SPEC).append(*rows(1))
    status, out, _ = headstart("cache", "info", "--cache", f"{memory}/cache", "--json")
    told = json.loads(out)
    assert status == 0
    assert told["cache"] == f"{memory}/cache"
    assert told["specs"][0]["folder"] == f"{memory}/cache/{SPEC.folder}"
    assert told["specs"][0]["images"] == 3


def test_a_place_without_whole_puts_gets_a_segment_by_renaming(memory, monkeypatch):
    monkeypatch.setattr(remote, "_PUTS", {})
    renamed = []
    system = type(fsspec.filesystem("memory"))
    move = system.mv
    monkeypatch.setattr(
        system, "mv", lambda self, old, new: (renamed.append(old), move(self, old, new))[1]
    )
    FeatureStore(cache_folder(f"{memory}/cache"), SPEC).append(*rows(1))
    assert len(renamed) == 1
    assert renamed[0].endswith(".tmp")
    assert len(listed(memory)) == 1


def test_a_half_put_segment_under_a_temporary_name_is_never_read(memory):
    system, path = storage.file_system(f"{memory}/cache/{SPEC.folder}")
    system.pipe_file(f"{path}/.{'0' * 32}.host.1.tmp", b"half")
    assert len(FeatureStore(cache_folder(f"{memory}/cache"), SPEC)) == 0


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://no-such-bucket/cache", "there is no bucket no-such-bucket"),
        ("nosuch://bucket/cache", "expected s3://, gs://, https://"),
    ],
)
def test_a_cache_that_cannot_be_is_told_in_one_line(bucket, photographs, headstart, url, told):
    status, _, err = headstart("extract", "features", photographs, "--cache", url)
    assert status == 1
    *others, last = err.splitlines()
    assert told in last
    assert all(line.startswith("read as: ") for line in others)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://no-such-bucket/photographs", "cannot list .*no such bucket"),
        ("{bucket}/nothing", "nothing is at .*/nothing"),
        ("nosuch://x", "expected s3://"),
    ],
)
def test_data_that_is_not_there_is_told_in_one_line(bucket, headstart, url, told):
    status, _, err = headstart("extract", "features", url.format(bucket=bucket))
    assert status == 1
    assert re.search(told, err)
    assert err.count("\n") == 1


def test_missing_credentials_are_told_with_the_remedy(bucket, monkeypatch, tmp_path):
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    fsspec.filesystem("s3").clear_instance_cache()
    with pytest.raises(DataError, match=r"no credentials: set AWS_PROFILE .*FSSPEC_S3_ANON"):
        read_dataset(f"{bucket}/photographs")


def test_a_missing_package_names_the_pip_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(OptionError, match=r"pip install 'headstart\[cloud\]'"):
        storage.file_system("s3://bucket/x")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    from headstart.extract.images.shards.parquet_rows import open_parquet

    with pytest.raises(OptionError, match=r"pip install 'headstart\[parquet\]'"):
        open_parquet(None)


def test_an_image_that_cannot_be_read_fails_alone_after_three_attempts(
    memory, photographs, headstart, monkeypatch
):
    upload(photographs, f"{memory}/photographs")
    system = type(fsspec.filesystem("memory"))
    cat = system.cat_file
    asked = []

    def flaky(self, path, *args, **kwargs):
        asked.append(path)
        if path.endswith("red/1.jpg") or (path.endswith("red/2.jpg") and asked.count(path) < 3):
            raise ConnectionError("connection reset by peer")
        return cat(self, path, *args, **kwargs)

    monkeypatch.setattr(system, "cat_file", flaky)
    status, out, _ = headstart("extract", "features", f"{memory}/photographs", "--json")
    told = json.loads(out)
    assert (status, told["extracted"]) == (0, 29)
    (failed,) = told["failed"]
    assert failed["path"].endswith("red/1.jpg")
    assert failed["reason"] == "cannot read: connection reset by peer"


def test_signatures_come_from_tags_else_times_else_never():
    assert signature_of({"size": 1, "ETag": "a"}) != signature_of({"size": 1, "ETag": "b"})
    assert signature_of({"size": 1, "generation": "7"}) == signature_of(
        {"size": 1, "generation": "7", "mtime": 3}
    )
    http = signature_of({"size": 1, "Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"})
    assert http.st_mtime_ns == 1_445_412_480 * 10**9
    iso = signature_of({"size": 1, "updated": "2015-10-21T07:28:00+00:00"})
    assert iso == http
    assert signature_of({"size": 1}).st_ctime_ns > 10**18 * 4


def test_too_large_an_object_is_not_read(memory):
    system, path = storage.file_system(f"{memory}/a.jpg")
    system.pipe_file(path, bytes(2 << 20))
    with pytest.raises(DecodeError, match="too large: 2,097,152 bytes"):
        Remote(f"{memory}/a.jpg").read(1 << 20)
    with pytest.raises(DecodeError, match="cannot look up: no such file"):
        Remote(f"{memory}/b.jpg").read(1 << 20)


@pytest.fixture
def web(tmp_path):
    """A web server on loopback: its folder, its address, and what it is asked for."""
    root = tmp_path / "web"
    root.mkdir()
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=root)

        def log_message(self, text, *args):
            asked.append(args[0].rpartition(" ")[0])

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield root, f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()


def test_images_behind_web_addresses_are_read_once_while_they_do_not_change(
    web, photographs, headstart, tmp_path, at_rest
):
    root, address, asked = web
    shutil.copytree(photographs, root / "photographs")
    names = [f"photographs/{label}/1.jpg,{label}" for label in ("red", "blue")]
    (root / "m.csv").write_text("\n".join(["path,label", *names, "photographs/none.jpg,red"]))
    command = ("extract", "features", f"{address}/m.csv", "--cache", tmp_path / "c", "--json")
    told = json.loads(headstart(*command)[1])
    assert told["extracted"] == 2
    (failed,) = told["failed"]
    assert failed == {"path": f"{address}/photographs/none.jpg", "reason": FAILED_LOOK_UP}
    asked.clear()
    assert json.loads(headstart(*command)[1])["reused"] == 2
    assert "GET /photographs/red/1.jpg" not in asked
    assert asked.count("HEAD /photographs/red/1.jpg") == 1


@pytest.mark.parametrize("ending", WRITERS)
def test_a_shard_behind_a_web_address_is_looked_up_once(web, ending):
    root, address, asked = web
    samples = [(bytes([n]) * 1000, "ab"[n % 2]) for n in range(40)]
    WRITERS[ending](root / f"a{ending}", samples)
    dataset = read_dataset(f"{address}/a{ending}")
    asked.clear()
    assert all(image.path.stat().st_size > 1_000 for image in dataset.images)
    assert asked == []
    assert [read_image(i.path, MAX_PIXELS)[1] for i in dataset.images] == [s for s, _ in samples]


def test_https_is_no_place_for_a_cache(tmp_path):
    with pytest.raises(UnsentError, match="this protocol cannot do that"):
        remote.RemoteCache("https://example.com/cache").put(tmp_path / "spec" / "a.h5")


def run_writer(line, url, home):
    """Start the writer; return it once it has opened the cache."""
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": line.url,
        "XDG_CACHE_HOME": str(home),
    }
    writer = subprocess.Popen(
        [sys.executable, (Path(__file__).parents[2] / "s3.py"), url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert writer.stdout.readline() == "ready\n"
    return writer


def test_a_kill_during_an_upload_leaves_no_half_segment(bucket, server, tmp_path, monkeypatch):
    url = f"{bucket}/cache"
    line = Line(server.address)
    with contextlib.closing(line):
        for moment, share in enumerate((0.02, 0.5, 0.98), start=1):
            with run_writer(line, url, tmp_path / "home") as writer:
                size = ROWS * 256 * 4
                line.limit = line.sent + int(size * share)
                line.cut = lambda writer=writer: os.kill(writer.pid, signal.SIGKILL)
                writer.stdin.write(f"{moment}\n")
                writer.stdin.flush()
                assert writer.wait() == -signal.SIGKILL
            line.limit = None
            assert len(listed(url)) == moment - 1, "what was under way when it was killed"
            # Another machine sees whole segments alone.
            other_machine(monkeypatch, tmp_path)
            elsewhere = FeatureStore(cache_folder(url), SPEC)
            assert not elsewhere.damaged
            assert len(elsewhere) == (moment - 1) * ROWS
            # The next run on this machine puts what was computed.
            monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
            assert len(FeatureStore(cache_folder(url), SPEC)) == moment * ROWS
            elsewhere.refresh()
            assert len(elsewhere) == moment * ROWS
            np.testing.assert_array_equal(elsewhere.read(segment(moment)[0]), segment(moment)[1])
