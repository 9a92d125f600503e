"""Files as people really have them: each has its expected outcome in one table."""

import io
import json
import os
import re
import socket
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from headstart.errors import DecodeError
from headstart.extract.decode.decode import decode
from headstart.text import shown

NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
RGB = Image.fromarray(NOISE)
RAMP = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (48, 1))


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def distinct(number):
    """Return a picture that no other row of the table has."""
    return Image.fromarray(np.roll(NOISE, number, axis=1))


def turned(orientation):
    exif = Image.Exif()
    exif[274] = orientation
    return encoded(distinct(orientation), "JPEG", exif=exif)


def ycck():
    """Return a CMYK JPEG whose Adobe marker says YCCK."""
    data = bytearray(encoded(distinct(20).convert("CMYK"), "JPEG"))
    data[data.find(b"Adobe") + 11] = 2
    return bytes(data)


def bomb(side):
    """Return a PNG of side x side black pixels in a few kilobytes, without ever holding them."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    row = b"\0" * (1 + side // 8)
    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def frames(kind):
    others = [distinct(n) for n in (31, 32)]
    return encoded(
        distinct(33 + len(kind) + (kind == "MPO") * 9), kind, save_all=True, append_images=others
    )


JPEG = encoded(RGB, "JPEG", quality=95)
PNG = encoded(distinct(2), "PNG")
GREY_ALPHA = Image.merge("LA", [distinct(3).convert("L"), distinct(4).convert("L")])
RGBA = Image.merge("RGBA", [*distinct(5).split(), distinct(6).convert("L")])
PALETTE = distinct(7).convert("P", palette=Image.Palette.ADAPTIVE)
BAD_CRC = PNG[:40] + bytes([PNG[40] ^ 1]) + PNG[41:]
LENGTHS = np.linspace(2, len(JPEG) - 40, 20).astype(int)

EXTRACTED, FAILED, DUPLICATE, LEFT_OUT = "extracted", "failed", "duplicate", "left out"

# name, content, outcome, reason (of a failure, a duplicate, or the warning of what is left out)
FILES = [
    ("plain.jpg", JPEG, EXTRACTED, None),
    ("empty.jpg", b"", FAILED, r"empty file \(0 bytes\)"),
    *((f"torn{n}.jpg", JPEG[:n], FAILED, "not an image|truncated|damaged") for n in LENGTHS),
    ("text.jpg", b"holiday notes, not a picture", FAILED, "not an image"),
    ("page.jpg", b"<!DOCTYPE html><html><body>404</body></html>", FAILED, "not an image"),
    ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", FAILED, "not an image"),
    ("paper.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", FAILED, "not an image"),
    ("program.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", FAILED, "not an image"),
    ("wrong.png", encoded(distinct(8), "JPEG"), EXTRACTED, None),
    ("no ending", encoded(distinct(9), "JPEG"), EXTRACTED, None),
    ("CAPITALS.JPG", encoded(distinct(10), "JPEG"), EXTRACTED, None),
    ("progressive.jpg", encoded(distinct(11), "JPEG", progressive=True), EXTRACTED, None),
    ("grey.jpg", encoded(distinct(12).convert("L"), "JPEG"), EXTRACTED, None),
    ("appended.jpg", encoded(distinct(13), "JPEG") + b"more" * 99, EXTRACTED, None),
    ("cmyk.jpg", encoded(distinct(14).convert("CMYK"), "JPEG"), EXTRACTED, None),
    ("ycck.jpg", ycck(), EXTRACTED, None),
    ("sixteen.png", encoded(Image.fromarray(RAMP), "PNG"), EXTRACTED, None),
    ("palette.png", encoded(PALETTE, "PNG"), EXTRACTED, None),
    ("clear palette.png", encoded(PALETTE, "PNG", transparency=0), EXTRACTED, None),
    ("alpha.png", encoded(RGBA, "PNG"), EXTRACTED, None),
    ("grey alpha.png", encoded(GREY_ALPHA, "PNG"), EXTRACTED, None),
    ("one bit.png", encoded(distinct(15).convert("1"), "PNG"), EXTRACTED, None),
    ("bad checksum.png", BAD_CRC, FAILED, "damaged|not an image"),
    ("torn.png", PNG[: len(PNG) // 2], FAILED, "truncated|damaged"),
    ("animated.gif", frames("GIF"), EXTRACTED, None),
    ("animated.webp", frames("WEBP"), EXTRACTED, None),
    ("torn.webp", frames("WEBP")[:200], FAILED, "damaged|truncated|not an image"),
    ("bitmap.bmp", encoded(distinct(16), "BMP"), EXTRACTED, None),
    ("torn.bmp", encoded(distinct(16), "BMP")[:500], FAILED, "truncated|damaged"),
    ("scan.tiff", encoded(distinct(17), "TIFF"), EXTRACTED, None),
    ("cmyk.tiff", encoded(distinct(18).convert("CMYK"), "TIFF"), EXTRACTED, None),
    ("sixteen.tiff", encoded(Image.fromarray(RAMP[::-1].copy() ^ 1), "TIFF"), EXTRACTED, None),
    ("float.tiff", encoded(Image.new("F", (9, 9)), "TIFF"), FAILED, "no known range"),
    ("icon.ico", encoded(distinct(19), "ICO"), EXTRACTED, None),
    ("phone.mpo", frames("MPO"), EXTRACTED, None),
    ("portable.ppm", encoded(distinct(21), "PPM"), EXTRACTED, None),
    *((f"turned{n}.jpg", turned(n), EXTRACTED, None) for n in range(1, 9)),
    ("dot.png", encoded(Image.new("RGB", (1, 1), "red"), "PNG"), EXTRACTED, None),
    ("thread.png", encoded(Image.new("RGB", (1, 5000), "red"), "PNG"), EXTRACTED, None),
    ("wide thread.png", encoded(Image.new("RGB", (5000, 1), "red"), "PNG"), EXTRACTED, None),
    ("bomb.png", bomb(9_504), FAILED, "too large: .*90,?326,?016 pixels"),
    ("larger bomb.png", bomb(20_000), FAILED, "too large: .*400000000 pixels"),
    ("two\nlines.jpg", encoded(distinct(22), "JPEG"), EXTRACTED, None),
    ("\"quotes' `and` $HOME.jpg", encoded(distinct(23), "JPEG"), EXTRACTED, None),
    ("<script>alert(1)<.jpg", encoded(distinct(24), "JPEG"), EXTRACTED, None),
    ("x" * 251 + ".jpg", encoded(distinct(25), "JPEG"), EXTRACTED, None),
    (os.fsdecode(b"caf\xe9.jpg"), encoded(distinct(26), "JPEG"), EXTRACTED, None),
    ("-rf.jpg", encoded(distinct(27), "JPEG"), EXTRACTED, None),
    ("\u65e5\u672c \U0001f412.jpg", encoded(distinct(28), "JPEG"), EXTRACTED, None),
    ("zz copy.jpg", JPEG, DUPLICATE, "same bytes as .*plain.jpg"),
    (".hidden.jpg", JPEG, LEFT_OUT, None),
    ("Thumbs.db", b"litter", LEFT_OUT, None),
]


def make_pipe(path):
    os.mkfifo(path)


def make_socket(path):
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path may be no longer than 107 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)
    os.chdir(here)


SPECIAL = [
    ("zz link.jpg", lambda p: p.symlink_to("plain.jpg"), DUPLICATE, "same bytes as"),
    ("dangling.jpg", lambda p: p.symlink_to("gone"), LEFT_OUT, "cannot look at .*dangling.jpg"),
    ("itself.jpg", lambda p: p.symlink_to("itself.jpg"), LEFT_OUT, "cannot look at .*itself.jpg"),
    ("loop", lambda p: p.symlink_to(".", target_is_directory=True), LEFT_OUT, None),
    ("pipe.jpg", make_pipe, LEFT_OUT, "pipe.jpg is no plain file"),
    ("socket.jpg", make_socket, LEFT_OUT, "socket.jpg is no plain file"),
]


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "data" / "red"
    folder.mkdir(parents=True)
    for name, content, *_ in FILES:
        (folder / name).write_bytes(content)
    for name, make, *_ in SPECIAL:
        make(folder / name)
    return tmp_path / "data"


def test_every_file_of_the_corpus_has_its_outcome_in_the_ledger(headstart, corpus):
    assert len(FILES) + len(SPECIAL) >= 60
    status, out, err = headstart("extract", "features", corpus, "--json")
    document = json.loads(out)
    assert status == 0
    ledger = {line["path"]: line for line in document["ledger"]}
    assert len(ledger) == document["images"]
    for name, _, outcome, reason in [*FILES, *SPECIAL]:
        line = ledger.pop(shown(corpus / "red" / name), None)
        if outcome == LEFT_OUT:
            assert line is None, name
            assert reason is None or re.search(reason, err), name
            continue
        assert line["outcome"] == outcome, (name, line)
        if reason is None:
            assert line["reason"] is None, (name, line)
        else:
            assert re.search(reason, line["reason"]), (name, line)
            assert line["reason"].isprintable(), "one line"
    assert not ledger, "in the ledger, not in the table"
    counts = {key: document[key] for key in ("extracted", "reused", "duplicates")}
    assert sum(counts.values()) + len(document["failed"]) == document["images"]

    again = json.loads(headstart("extract", "features", corpus, "--json")[1])
    assert (again["extracted"], again["reused"]) == (0, counts["extracted"])
    assert [one["outcome"] for one in again["ledger"]] == [
        {"extracted": "reused"}.get(one["outcome"], one["outcome"]) for one in document["ledger"]
    ]


def test_max_pixels_lets_a_large_image_in_and_keeps_the_spec(headstart, corpus):
    (corpus / "red" / "larger bomb.png").unlink()
    first = json.loads(headstart("extract", "features", corpus, "--json")[1])
    status, out, _ = headstart("extract", "features", corpus, "--json", "--max-pixels", "100000000")
    document = json.loads(out)
    assert status == 0
    assert document["extracted"] == 1
    (line,) = [one for one in document["ledger"] if one["path"].endswith("bomb.png")]
    assert line["outcome"] == "extracted"
    assert document["spec"] == first["spec"]
    few = json.loads(
        headstart("extract", "features", corpus, "--json", "--cache", corpus.parent / "other",
                  "--max-pixels", "1")[1]
    )  # fmt: skip
    assert few["extracted"] == 1, "dot.png has one pixel"


def test_a_file_far_too_large_to_be_an_image_is_not_read(headstart, corpus):
    with open(corpus / "red" / "film.jpg", "wb") as file:
        file.truncate(10 << 30)  # a hole: ten gigabytes that take no room
    out = headstart("extract", "features", corpus, "--json")[1]
    (line,) = [one for one in json.loads(out)["ledger"] if one["path"].endswith("film.jpg")]
    assert line["reason"].startswith("too large: 10,737,418,240 bytes")


def test_a_pipe_named_as_an_image_does_not_hang(tmp_path, fake_engine):
    from headstart.cache import StatIndex
    from headstart.extract.pipeline import extract
    from headstart.extract.source import FeatureOptions, feature_source

    os.mkfifo(tmp_path / "pipe.jpg")
    source = feature_source(FeatureOptions(make_engine=fake_engine, cache=tmp_path / "cache"))
    with StatIndex(tmp_path / "stat.sqlite") as index:
        result = extract(
            [tmp_path / "pipe.jpg"], source.store(), fake_engine, index, batch_size=1, workers=1
        )
    assert [failure.reason for failure in result.failures] == ["no plain file"]


@settings(max_examples=400)
@given(data=st.data())
def test_no_bytes_make_the_decoder_raise_anything_but_decode_error(data):
    whole = data.draw(
        st.sampled_from([content for _, content, outcome, _ in FILES[:60] if content])
    )
    damaged = bytearray(whole[:20_000])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        change = data.draw(st.sampled_from(["flip", "cut", "insert", "repeat"]))
        if change == "flip":
            damaged[at] ^= 1 << data.draw(st.integers(0, 7))
        elif change == "cut":
            del damaged[at : at + data.draw(st.integers(1, 64))]
        elif change == "insert":
            damaged[at:at] = data.draw(st.binary(max_size=16))
        else:
            damaged[at:at] = damaged[at : at + 32]
        if not damaged:
            break
    try:
        pixels = decode(bytes(damaged), (16, 16), max_pixels=1_000_000)
    except DecodeError as error:
        reason = str(error)
    else:
        reason = ""
        assert (pixels.shape, pixels.dtype) == ((16, 16, 3), np.uint8)
    assert "\n" not in reason
