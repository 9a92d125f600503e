"""Multipart forms: the same files however their bytes are cut, each offence with its status."""

import asyncio

import pytest

pytest.importorskip("fastapi", reason="the service: headstart[serve] is not installed")

from fastapi import HTTPException, Request
from hypothesis import given
from hypothesis import strategies as st

from headstart.classify.serve.limits import Limits, Room
from headstart.classify.serve.upload import read_uploads
from headstart.errors import OptionError

FORM = "multipart/form-data; boundary=cut"


def part(content, disposition):
    return (
        b"--cut\r\nContent-Disposition: form-data; " + disposition + b"\r\n\r\n" + content + b"\r\n"
    )


def form(*files):
    parts = [part(data, b'name="files"; filename="%s"' % name) for name, data in files]
    return b"".join(parts) + b"--cut--\r\n"


def read(chunks, kind=FORM, limits=None, room=1 << 40, headers=(), ends=True):
    """Return what is read of a request whose body comes in these chunks. Unless it ends, the last is waited for."""
    asked = []

    async def receive():
        asked.append(1)
        at = len(asked) - 1
        if at >= len(chunks):
            await asyncio.Event().wait()  # a client that says no more
        if chunks[at] is None:
            return {"type": "http.disconnect"}
        more = not ends or at < len(chunks) - 1
        return {"type": "http.request", "body": chunks[at], "more_body": more}

    pairs = [(b"content-type", kind.encode()), *headers]
    request = Request({"type": "http", "method": "POST", "headers": pairs}, receive)

    async def run():
        with Room(room).share() as take:
            return await read_uploads(request, limits or Limits(), take)

    return asyncio.run(run())


def refusal(*args, **kwargs):
    with pytest.raises(HTTPException) as refused:
        read(*args, **kwargs)
    return refused.value.status_code, refused.value.detail


@given(
    st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=60)), min_size=1, max_size=4),
    st.data(),
)
def test_however_a_form_is_cut_its_files_are_the_same(files, data):
    names = [name.encode().hex().encode() for name, _ in files]
    whole = form(*zip(names, [content for _, content in files], strict=True))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    edges = zip([0, *cuts], [*cuts, len(whole)], strict=True)
    uploads = read([whole[low:high] for low, high in edges])
    assert [(u.name.encode(), u.data) for u in uploads] == [
        (name, content) for name, (_, content) in zip(names, files, strict=True)
    ]


def test_a_field_that_is_no_file_is_passed_over_and_any_name_is_text():
    body = part(b"7", b'name="top"') + form(("Nice Ünïcode.jpg".encode(), b"x"), (b"\xff", b"y"))
    uploads = read([body])
    assert [(u.name, u.data) for u in uploads] == [("Nice Ünïcode.jpg", b"x"), ("ÿ", b"y")]


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (b"x", "image/jpeg", (415, "send photographs as multipart/form-data, such as curl")),
        (b"x", "", (415, "send photographs")),
        (b"x", "multipart/form-data", (400, "malformed multipart form: Missing boundary")),
        (
            b"x",
            "multipart/form-data; boundary=" + "x" * 999,
            (400, "malformed multipart form: Bou"),
        ),
        (b"nonsense", FORM, (400, "malformed multipart form: Expected boundary")),
        (
            form((b"a", b"1"))[:-20],
            FORM,
            (400, "malformed multipart form: it ends before its last"),
        ),
        (b"", FORM, (400, "malformed multipart form: it ends before its last")),
        (part(b"7", b'name="top"') + b"--cut--\r\n", FORM, (400, "no file in the form: send")),
        (form(*[(b"a", b"1")] * 33), FORM, (413, "more than 32 files in one request: send fewer")),
    ],
)
def test_each_offence_has_its_status(body, kind, expected):
    status, detail = refusal([body], kind)
    assert status == expected[0]
    assert detail.startswith(expected[1])


def test_what_is_said_to_be_too_large_is_not_read():
    limits = Limits(upload_bytes=1000)
    with pytest.raises(HTTPException, match="larger than 1,000 bytes"):
        read([], limits=limits, headers=[(b"content-length", b"1001")])


def test_what_grows_too_large_is_cut_off_there():
    limits = Limits(upload_bytes=1000)
    whole = form((b"a", bytes(5000)))
    first_three = [whole[:400], whole[400:800], whole[800:1200]]
    # There is room for two chunks alone, and no fourth is waited for.
    assert refusal(first_three, limits=limits, room=800, ends=False)[0] == 413


def test_a_slow_upload_a_full_memory_and_a_client_that_leaves_end_it():
    body = form((b"a", bytes(500)))
    slow = Limits(seconds=0.05)
    status, detail = refusal([body[:100]], limits=slow, ends=False)
    assert (status, detail) == (408, "the upload took more than 0.05 seconds: send less, or faster")
    assert refusal([body], room=10)[0] == 503
    assert refusal([body[:50], None]) == (400, "the client left before its upload was whole")


def test_a_limit_of_nothing_is_refused():
    with pytest.raises(OptionError, match="limits must be above 0, files is 0"):
        Limits(files=0)
