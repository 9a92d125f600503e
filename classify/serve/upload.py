"""A request's body to the files in it: read as it streams in, in memory, never beyond its limits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException, Request
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect

from .limits import FullError, Limits

# The parser warns of every malformed form, which is the client's to hear, not the log's.
logging.getLogger("python_multipart").addHandler(logging.NullHandler())

RETRY_SECONDS = 1
HOW = "send photographs as multipart/form-data, such as curl -F files=@photograph.jpg"


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a request.

    Parameters
    ----------
    name : str
        What the client calls it: any text.
    data : bytes
        Its content.
    """

    name: str
    data: bytes


def busy(reason: str) -> HTTPException:
    """Return the error for a server that has enough to do: 503, and when to come again."""
    return HTTPException(503, reason, headers={"Retry-After": str(RETRY_SECONDS)})


async def read_uploads(
    request: Request, limits: Limits, take_bytes: Callable[[int], None]
) -> list[Upload]:
    """Read the files of a multipart form.

    Parameters
    ----------
    request : Request
        Its body is read until its end or its first offence.
    limits : Limits
        Bytes, files and seconds.
    take_bytes : callable
        Told how many bytes are held; raises :class:`FullError` where memory is short.

    Returns
    -------
    list of Upload
        In the order sent; at least one.

    Raises
    ------
    HTTPException
        400 for a form that is malformed or without files, 408 for one that comes too slowly,
        413 for one that is too large or has too many files, 415 for no form at all,
        503 where other uploads fill the memory.
    """
    form = _Form(_boundary(request.headers.get("content-type", "")), limits.files)
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > limits.upload_bytes:
        raise _too_large(limits)
    try:
        async with asyncio.timeout(limits.seconds):
            await _feed(form, request.stream(), limits, take_bytes)
    except TimeoutError:
        raise HTTPException(
            408, f"the upload took more than {limits.seconds:g} seconds: send less, or faster"
        ) from None
    except FullError:
        raise busy("other uploads fill the memory set aside for them: try again") from None
    except FormParserError as error:
        raise HTTPException(400, f"malformed multipart form: {error}") from None
    except ClientDisconnect:
        raise HTTPException(400, "the client left before its upload was whole") from None
    return form.uploads()


async def _feed(
    form: _Form, chunks: AsyncIterator[bytes], limits: Limits, take_bytes: Callable[[int], None]
) -> None:
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        if received > limits.upload_bytes:
            raise _too_large(limits)
        take_bytes(len(chunk))
        form.write(chunk)


def _too_large(limits: Limits) -> HTTPException:
    return HTTPException(
        413, f"the upload is larger than {limits.upload_bytes:,} bytes: send fewer or smaller files"
    )


def _boundary(content_type: str) -> bytes:
    kind, parameters = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise HTTPException(415, HOW)
    if not parameters.get(b"boundary"):
        raise HTTPException(400, "malformed multipart form: its Content-Type names no boundary")
    return parameters[b"boundary"]


class _Form:
    """The parser's callbacks, and what they gather."""

    def __init__(self, boundary: bytes, most: int) -> None:
        self._most = most
        self._parts = 0
        self._uploads: list[Upload] = []
        self._ended = False
        self._field = self._value = self._disposition = b""
        self._name: bytes | None = None
        self._content: list[bytes] = []
        callbacks: Any = {
            name: getattr(self, f"_{name}")
            for name in (
                *("on_part_begin", "on_header_field", "on_header_value", "on_header_end"),
                *("on_headers_finished", "on_part_data", "on_part_end", "on_end"),
            )
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError as error:
            raise HTTPException(400, f"malformed multipart form: {error}") from None

    def write(self, chunk: bytes) -> None:
        """Parse the next bytes."""
        if chunk:
            self._parser.write(chunk)

    def uploads(self) -> list[Upload]:
        """Return the files of the whole form."""
        if not self._ended:
            raise HTTPException(400, "malformed multipart form: it ends before its last boundary")
        if not self._uploads:
            raise HTTPException(400, f"no file in the form: {HOW}")
        return self._uploads

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > self._most:
            raise HTTPException(413, f"more than {self._most} files in one request: send fewer")
        self._disposition, self._content, self._name = b"", [], None

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field = self._value = b""

    def _on_headers_finished(self) -> None:
        self._name = parse_options_header(self._disposition)[1].get(b"filename")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name is not None:  # a field that is no file is passed over
            self._content.append(data[start:end])

    def _on_part_end(self) -> None:
        if self._name is not None:
            name = self._name.decode("utf-8", "backslashreplace")
            self._uploads.append(Upload(name, b"".join(self._content)))

    def _on_end(self) -> None:
        self._ended = True
