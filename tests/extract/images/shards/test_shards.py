"""WebDataset, Parquet and TFRecord: the same images as in the folder, streamed and addressed."""

import gc
import json
import os
import pickle
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from headstart.errors import DataError, DecodeError
from headstart.extract.decode.decode import MAX_PIXELS
from headstart.extract.images.addresses import reference
from headstart.extract.images.dataset import read_dataset
from headstart.extract.images.places import braces, references
from headstart.extract.images.read import read_image
from headstart.extract.images.shard_dataset import split_of
from headstart.extract.images.shards import kinds, parquet_rows
from headstart.extract.images.shards.members import Member
from headstart.extract.images.shards.parquet_rows import Row
from headstart.storage import user_folder
from shards import (
    WRITERS,
    example_of,
    examples_of,
    parquet_of,
    tar_of,
    tfrecord_of,
    webdataset_of,
)

NO_PARQUET = "Parquet: headstart[parquet] is not installed"

BYTES = [bytes([n]) * (1000 + n) for n in range(40)]
SAMPLES = [(data, "cat" if n % 2 else "dog") for n, data in enumerate(BYTES)]


def read_all(dataset):
    return [(read_image(image.path, MAX_PIXELS)[1], image.label) for image in dataset.images]


@pytest.mark.parametrize("ending", WRITERS)
def test_a_shard_holds_the_bytes_and_labels_that_were_written(tmp_path, ending):
    shard = WRITERS[ending](tmp_path / f"some{ending}", SAMPLES)
    dataset = read_dataset(shard)
    assert read_all(dataset) == SAMPLES
    assert dataset.warnings == []
    assert dataset.splits == []


@pytest.mark.parametrize("ending", WRITERS)
def test_a_shard_is_known_by_its_content_whatever_its_name(tmp_path, ending):
    shard = WRITERS[ending](tmp_path / f"some{ending}", SAMPLES).rename(tmp_path / "download")
    assert read_all(read_dataset(shard)) == SAMPLES


@pytest.mark.parametrize("ending", WRITERS)
def test_an_image_in_a_shard_has_an_address_that_finds_it_again(tmp_path, ending):
    shard = WRITERS[ending](tmp_path / f"some{ending}", SAMPLES)
    for image, (data, _) in zip(references(shard), SAMPLES, strict=True):
        again = reference(str(image))
        assert again == image
        assert read_image(again, MAX_PIXELS)[1] == data
        assert references(str(image)) == [image]


def test_addresses_are_shard_offset_and_size_or_row(tmp_path):
    tar = webdataset_of(tmp_path / "a.tar", SAMPLES)
    assert str(references(tar)[0]) == f"{tar}#512+1000"
    assert str(references(parquet_of(tmp_path / "a.parquet", SAMPLES))[3]).endswith("a.parquet#3")


def test_a_million_references_into_a_shard_travel_small(tmp_path):
    shard = tmp_path / "train-00000.tar"
    some = [Member(shard, 512 * n, 1000) for n in range(10_000)]
    sent = pickle.dumps(some)
    assert len(sent) < 30 * len(some)
    assert pickle.loads(sent) == some


@pytest.mark.parametrize("ending", WRITERS)
def test_splits_come_from_names_or_folders(tmp_path, ending):
    for name in ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"):
        WRITERS[ending](tmp_path / "named" / "data" / f"{name}{ending}", SAMPLES)
        WRITERS[ending](tmp_path / "placed" / name[:5].strip("-") / f"{name[-3:]}{ending}", SAMPLES)
    for root in ("named", "placed"):
        dataset = read_dataset(tmp_path / root)
        assert dataset.splits == ["train", "test"]
    assert len(read_dataset(tmp_path / "named").images) == 120


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("imagenet-val-000001.tar", "validation"),
        ("validation.parquet", "validation"),
        ("test/0000.parquet", "test"),
        ("contest-1.tar", None),
        ("train-test-1.tar", None),
    ],
)
def test_the_split_is_a_word_of_the_name(tmp_path, name, split):
    assert split_of(tmp_path / name) == split


def test_a_pattern_names_shards(tmp_path):
    for number in range(8, 12):
        webdataset_of(tmp_path / f"train-{number:03}.tar", SAMPLES[:5])
    assert len(read_dataset(f"{tmp_path}/train-{{008..010}}.tar").images) == 15
    assert len(read_dataset(f"{tmp_path}/train-*.tar").images) == 20
    with pytest.raises(DataError, match=r"no file matches the pattern .*train-012.tar \(of "):
        read_dataset(f"{tmp_path}/train-{{008..012}}.tar")
    assert braces("a{1..2}{x,y}") == ["a1x", "a1y", "a2x", "a2y"]


def test_shards_beside_class_folders_are_litter(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.jpg").write_bytes(b"x")
    webdataset_of(tmp_path / "backup.tar", SAMPLES)
    dataset = read_dataset(tmp_path)
    assert dataset.classes == ["cat"]
    assert "outside class folders" in dataset.warnings[0]


def test_folders_in_a_tar_are_classes_where_nothing_else_is(tmp_path):
    tar = tar_of(
        tmp_path / "a.tar",
        [("all/cat/1.jpg", b"1"), ("all/cat/._1.jpg", b"x"), ("all/dog/a.b.png", b"2")],
    )
    assert [(i.label, read_image(i.path, 9)[1]) for i in read_dataset(tar).images] == [
        ("cat", b"1"),
        ("dog", b"2"),
    ]


def test_json_and_numbers_are_labels(tmp_path):
    tar = tar_of(
        tmp_path / "a.tar",
        [
            *(("1.json", json.dumps({"label": 1}).encode()), ("1.png", b"x")),
            *(("2.png", b"y"), ("2.json", json.dumps({"label": 0}).encode())),
        ],
    )
    assert [image.label for image in read_dataset(tar).images] == ["1", "0"]
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    assert [image.label for image in read_dataset(tar).images] == ["dog", "cat"]


def test_tensorflow_datasets_names_of_labels_are_used(tmp_path):
    shard = tfrecord_of(
        tmp_path / "oxford-train.tfrecord-00000-of-00001",
        [example_of(image=b"1", label=1), example_of(image=b"2", label=0)],
    )
    assert [image.label for image in read_dataset(shard).images] == ["1", "0"]
    (tmp_path / "label.labels.txt").write_text("rose\ntulip\n")
    assert [image.label for image in read_dataset(tmp_path).images] == ["tulip", "rose"]


def test_tensorflow_writes_what_is_read(tmp_path):
    import tensorflow as tf

    feature = {
        "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[BYTES[3]])),
        "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[7])),
        "score": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, 1.5])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=feature))
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        writer.write(example.SerializeToString())
    assert read_all(read_dataset(tmp_path / "a.tfrecord")) == [(BYTES[3], "7")]


def test_plain_binary_and_text_columns_are_read(tmp_path):
    pa = pytest.importorskip("pyarrow", reason=NO_PARQUET)
    pq = pytest.importorskip("pyarrow.parquet")

    pq.write_table(pa.table({"jpg": [b"1", b"2"], "class": ["cat", None]}), tmp_path / "a.parquet")
    dataset = read_dataset(tmp_path / "a.parquet")
    assert read_all(dataset) == [(b"1", "cat")]
    assert "1 rows have no label" in dataset.warnings[0]


def test_a_row_without_bytes_fails_alone(tmp_path):
    shard = parquet_of(tmp_path / "a.parquet", [*SAMPLES[:3], (None, "cat")])
    images = [image.path for image in read_dataset(shard).images]
    assert read_image(images[2], MAX_PIXELS)[1] == BYTES[2]
    with pytest.raises(DecodeError, match="no image bytes"):
        read_image(images[3], MAX_PIXELS)
    with pytest.raises(DecodeError, match="has 4 rows"):
        read_image(Row(shard, 4), MAX_PIXELS)


def test_threads_that_take_turns_read_each_row_once(tmp_path, monkeypatch):
    shard = parquet_of(tmp_path / "a.parquet", SAMPLES * 10)
    reads = []
    advance = parquet_rows._Window._advance
    monkeypatch.setattr(
        parquet_rows._Window, "_advance", lambda self, row: (reads.append(row), advance(self, row))
    )
    for row in range(200):
        for at in (row, row + 200):
            assert Row(shard, at).read(10**6)[1] == BYTES[at % 40]
    assert len(reads) == 400 / parquet_rows.BATCH
    monkeypatch.setattr(parquet_rows, "AHEAD_BYTES", 20_000)
    for row in (399, 0, 200, 399):
        assert Row(shard, row).read(10**6)[1] == BYTES[row % 40]


@pytest.mark.parametrize("rows", [7, 1000])
def test_rows_are_read_in_any_order(tmp_path, rows):
    shard = parquet_of(tmp_path / "a.parquet", SAMPLES * 10, rows)
    order = np.random.default_rng(0).permutation(400)
    assert [Row(shard, int(at)).read(10**6)[1] for at in order] == [BYTES[at % 40] for at in order]


def test_a_parquet_file_of_one_large_row_group_is_streamed(tmp_path):
    noise = np.random.default_rng(0).bytes(1 << 20)
    samples = [(bytes([n]) + noise, "cat") for n in range(64)]
    shard = parquet_of(tmp_path / "a.parquet", samples, rows=1000, write_batch_size=4)
    parquet_rows.forget()
    pa = pytest.importorskip("pyarrow", reason=NO_PARQUET)
    gc.collect()
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    highest = 0
    for row in range(64):
        assert Row(shard, row).read(1 << 30)[1][0] == row
        highest = max(highest, pa.total_allocated_bytes() - before)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    parquet_rows.forget()
    # The file has 64 MB.
    assert highest + peak < 48 << 20


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (
            [("1.jpg", b"x"), ("1.cls", b"0"), ("2.jpg", b"x")],
            r"sample '2': expected a member .cls",
        ),
        ([("1.jpg", b"x"), ("1.json", b'{"label": 1}'), ("2.jpg", b"x")], "a member .json"),
        ([("a/1.jpg", b"x"), ("2.jpg", b"x")], "sample '2': expected a folder named after"),
        ([("1.jpg", b"x"), ("1.b.png", b"x"), ("1.cls", b"0")], r"has 2 images \(jpg, b.png\)"),
        ([("1.jpg", b"x"), ("1.txt", b"a caption")], "1.jpg has no label: expected key.cls"),
        ([("1.txt", b"x")], "no images in the 1 shards of .*they are empty"),
    ],
)
def test_what_is_ambiguous_or_missing_in_a_tar_is_told(tmp_path, members, told):
    with pytest.raises(DataError, match=told):
        read_dataset(tar_of(tmp_path / "a.tar", members))


def test_what_a_parquet_file_lacks_is_told(tmp_path):
    pa = pytest.importorskip("pyarrow", reason=NO_PARQUET)
    pq = pytest.importorskip("pyarrow.parquet")

    shard = tmp_path / "a.parquet"
    pq.write_table(pa.table({"left": [b"1"], "right": [b"2"], "label": [1]}), shard)
    with pytest.raises(DataError, match=r"expected one column of image bytes .*left: binary"):
        read_dataset(shard)
    pq.write_table(pa.table({"image": [b"1"], "label": [1.5]}), shard)
    with pytest.raises(DataError, match=r"expected names or numbers of classes .*got 1.5"):
        read_dataset(shard)
    pq.write_table(pa.table({"image": [b"1"]}), shard)
    with pytest.raises(DataError, match="row 0 has no label"):
        read_dataset(shard)
    shard.write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(DataError, match=r"cannot read .*a.parquet: "):
        read_dataset(shard)


def test_what_a_tfrecord_lacks_is_told(tmp_path):
    shard = tfrecord_of(tmp_path / "a.tfrecord", [example_of(pixels=b"1", label=2)])
    with pytest.raises(
        DataError, match=r"record 0: expected the bytes of one image under .*pixels"
    ):
        read_dataset(shard)


def test_other_files_with_a_shards_ending_are_told(tmp_path):
    for name in ("a.tar", "a.parquet", "a.tfrecord"):
        (tmp_path / name).write_bytes(b"path,label\n")
        with pytest.raises(DataError, match=r"is no (WebDataset|Parquet|TFRecord) file"):
            read_dataset(tmp_path / name)
    (tmp_path / "a.tar.gz").write_bytes(b"\x1f\x8b\x08")
    with pytest.raises(DataError, match=r"a.tar.gz is compressed"):
        read_dataset(tmp_path / "a.tar.gz")


def test_mixed_kinds_and_half_named_splits_are_told(tmp_path):
    folder = tmp_path / "shards"
    webdataset_of(folder / "train-0.tar", SAMPLES)
    parquet_of(folder / "train-0.parquet", SAMPLES)
    with pytest.raises(DataError, match="shards of 2 kinds"):
        read_dataset(folder)
    (folder / "train-0.parquet").unlink()
    webdataset_of(folder / "more.tar", SAMPLES)
    with pytest.raises(DataError, match=r"40 of 80 images in .* are in no split \(.*more.tar#"):
        read_dataset(folder)


@pytest.mark.parametrize("ending", [".tar", ".tfrecord"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_a_shard_cut_short_gives_what_is_whole_and_says_so(tmp_path, ending, share):
    shard = WRITERS[ending](tmp_path / f"a{ending}", SAMPLES)
    data = shard.read_bytes()
    shard.write_bytes(data[: int(len(data) * share)])
    dataset = read_dataset(shard)
    assert "cut short" in dataset.warnings[0]
    assert 0 < len(dataset.images) < 40
    assert read_all(dataset) == SAMPLES[: len(dataset.images)]


def test_a_record_that_fails_its_checksum_is_left_out(tmp_path):
    shard = examples_of(tmp_path / "a.tfrecord", SAMPLES)
    data = bytearray(shard.read_bytes())
    data[data.index(BYTES[5]) + 500] ^= 1
    shard.write_bytes(data)
    dataset = read_dataset(shard)
    assert len(dataset.images) == 39
    assert "fails its checksum: left out" in dataset.warnings[0]


def test_a_parquet_file_that_is_replaced_meanwhile_fails_its_images(tmp_path):
    shard = parquet_of(tmp_path / "a.parquet", SAMPLES)
    images = references(shard)
    shard.write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(DecodeError, match="cannot read: "):
        read_image(images[0], MAX_PIXELS)
    shard.unlink()
    with pytest.raises(DecodeError, match="cannot read: no such file"):
        read_image(images[0], MAX_PIXELS)


def test_a_shard_that_shrank_meanwhile_fails_its_images(tmp_path):
    shard = webdataset_of(tmp_path / "a.tar", SAMPLES)
    images = references(shard)
    shard.write_bytes(shard.read_bytes()[:30_000])
    with pytest.raises(DecodeError, match=r"the shard ends .* bytes too early"):
        read_image(images[-1], MAX_PIXELS)
    shard.unlink()
    with pytest.raises(DecodeError, match="cannot read: no such file"):
        read_image(images[0], MAX_PIXELS)


def test_a_manifest_may_name_images_in_shards(tmp_path):
    webdataset_of(tmp_path / "a.tar", SAMPLES)
    (tmp_path / "m.csv").write_text("path,label\na.tar#512+1000,cat\n")
    (image,) = read_dataset(tmp_path / "m.csv").images
    assert read_image(image.path, MAX_PIXELS)[1] == BYTES[0]


@pytest.mark.parametrize("ending", WRITERS)
def test_a_cache_filled_from_the_folder_serves_the_shards(tmp_path, photographs, headstart, ending):
    folder = read_dataset(photographs)
    samples = [(image.path.read_bytes(), image.label) for image in folder.images]
    shard = WRITERS[ending](tmp_path / f"a{ending}", samples)
    options = ("--cache", tmp_path / "cache", "--json")
    status, out, _ = headstart("extract", "features", photographs, *options)
    assert (status, json.loads(out)["extracted"]) == (0, 30)
    status, out, _ = headstart("extract", "features", shard, *options)
    told = json.loads(out)
    assert (status, told["extracted"], told["reused"], told["failed"]) == (0, 0, 30, [])
    assert told["ledger"][0]["path"].startswith(f"{shard}#")


def test_images_of_an_unchanged_shard_are_not_read_again(
    tmp_path, photographs, headstart, at_rest, monkeypatch
):
    samples = [(i.path.read_bytes(), i.label) for i in read_dataset(photographs).images]
    shard = webdataset_of(tmp_path / "a.tar", samples)
    assert headstart("extract", "features", shard, "--cache", tmp_path / "cache")[0] == 0

    def fail(self, limit):
        raise AssertionError("read again")

    monkeypatch.setattr(Member, "read", fail)
    status, out, _ = headstart("extract", "features", shard, "--cache", tmp_path / "cache")
    assert status == 0
    assert "0 extracted, 30 reused" in out


def test_findings_about_shards_show_their_pictures(tmp_path, photographs, headstart):
    samples = [(i.path.read_bytes(), i.label) for i in read_dataset(photographs).images]
    shard = webdataset_of(tmp_path / "a.tar", [*samples, samples[0]])
    status, out, _ = headstart("inspect", shard, "--out", tmp_path / "page", "--json")
    assert status == 0
    assert json.loads(out)["duplicates"][0]["paths"][0].startswith(f"{shard}#")
    assert "data:image/jpeg;base64" in (tmp_path / "page" / "inspect.html").read_text()


def refuse(*_):
    raise OSError("opened again")


@pytest.fixture
def opening_fails(monkeypatch):
    """Return what lets every shard that is opened from then on fail."""
    refusing = tuple(replace(kind, recognise=refuse) for kind in kinds.KINDS)
    return lambda: monkeypatch.setattr(kinds, "KINDS", refusing)


def test_an_unchanged_shard_is_not_opened_to_list_it_again(tmp_path, at_rest, opening_fails):
    shard = webdataset_of(tmp_path / "shards" / "train.tar", SAMPLES)
    first = read_dataset(tmp_path / "shards"), read_dataset(shard)
    opening_fails()
    assert (read_dataset(tmp_path / "shards"), read_dataset(shard)) == first
    webdataset_of(shard, SAMPLES[:10])
    with pytest.raises(DataError, match=r"cannot read .*: opened again"):
        read_dataset(shard)


def test_a_shard_that_has_changed_is_listed_anew(tmp_path, at_rest):
    shard = webdataset_of(tmp_path / "train.tar", SAMPLES)
    assert len(read_dataset(shard).images) == 40
    webdataset_of(shard, SAMPLES[:10])
    assert len(read_dataset(shard).images) == 10


def test_a_shard_that_may_still_change_is_listed_every_time(tmp_path, opening_fails):
    shard = webdataset_of(tmp_path / "train.tar", SAMPLES)
    ahead = time.time() + 3600  # no clock has passed it: the next change may show the same
    os.utime(shard, (ahead, ahead))
    assert len(read_dataset(shard).images) == 40
    opening_fails()
    with pytest.raises(DataError, match=r"cannot read .*: opened again"):
        read_dataset(shard)


def test_what_was_remembered_and_is_damaged_is_listed_again(tmp_path, at_rest):
    shard = webdataset_of(tmp_path / "train.tar", SAMPLES)
    first = read_dataset(shard)
    (kept,) = user_folder().glob("shards/*/*")
    kept.write_bytes(b"damaged")
    assert read_dataset(shard) == first


def test_shards_are_labelled_evaluated_and_sorted(tmp_path, photographs, headstart):
    samples = [(i.path.read_bytes(), i.label) for i in read_dataset(photographs).images]
    shard = webdataset_of(tmp_path / "a.tar", samples)
    cache = ("--cache", tmp_path / "cache")
    model = tmp_path / "model.headstart"
    assert headstart("fit", "head", shard, "--model", "ridge", "--out", model, *cache)[0] == 0
    status, out, _ = headstart("predict", model, shard, *cache, "--json")
    told = json.loads(out)["predictions"]
    assert status == 0
    assert [one["label"] for one in told] == [label for _, label in samples]
    assert told[0]["path"] == f"{shard}#512+{len(samples[0][0])}"
    status, out, _ = headstart("predict", model, told[3]["path"], *cache, "--json")
    assert json.loads(out)["predictions"][0]["label"] == told[3]["label"]
    status, out, _ = headstart("evaluate", model, shard, *cache, "--json")
    assert json.loads(out)["evaluation"]["accuracy"] == 1

    sorting = ("predict", model, shard, *cache, "--sort-into", tmp_path / "sorted")
    status, _, err = headstart(*sorting)
    assert status == 1
    assert "which is no file here: use --copy" in err
    for _ in range(2):
        assert headstart(*sorting, "--copy")[0] == 0
    placed = sorted((tmp_path / "sorted").glob("*/*"))
    assert len(placed) == 30
    assert {path.read_bytes() for path in placed} == {data for data, _ in samples}


def test_images_in_shards_are_explained_by_their_neighbours_there(tmp_path, photographs, headstart):
    samples = [(i.path.read_bytes(), i.label) for i in read_dataset(photographs).images]
    shard = webdataset_of(tmp_path / "a.tar", samples)
    cache = ("--cache", tmp_path / "cache")
    model = tmp_path / "model.headstart"
    assert headstart("fit", "head", shard, "--model", "ridge", "--out", model, *cache)[0] == 0
    image = str(references(shard)[0])
    status, out, err = headstart(
        "explain",
        model,
        image,
        "--method",
        "occlusion",
        "--out",
        tmp_path / "why",
        *cache,
        "--json",
    )
    assert (status, err.count("Traceback")) == (0, 0)
    (told,) = json.loads(out)["explanations"]
    assert told["image"] == image
    assert all(one["path"].startswith(f"{shard}#") for one in told["neighbours"])
    assert "a.tar#512+" in (tmp_path / "why" / "index.html").read_text()
