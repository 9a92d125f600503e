"""A request's body to the files in it: read as it streams in, in memory, never beyond its limits."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from fastapi import HTTPException, Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from .limits import FullError, Limits

# The parser warns of every malformed form, which is the client's to hear, not the log's.
logging.getLogger("python_multipart").addHandler(logging.NullHandler())

RETRY_SECONDS = 1
HOW = "send photographs as multipart/form-data, such as curl -F files=@photograph.jpg"


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a request."""

    name: str  # what the client calls it: any text
    data: bytes  # its content


def busy(reason: str) -> HTTPException:
    """Return the error for a server that has enough to do: 503, and when to come again."""
    return HTTPException(503, reason, headers={"Retry-After": str(RETRY_SECONDS)})


class _Form(MultiPartParser):
    """Starlette's parser, which writes nothing to the disk and tells whether a form was whole."""

    spool_max_size = sys.maxsize
    whole = False

    def on_end(self) -> None:
        self.whole = True


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
    if parse_options_header(request.headers.get("content-type"))[0] != b"multipart/form-data":
        raise HTTPException(415, HOW)
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > limits.upload_bytes:
        raise _too_large(limits)
    parser = _Form(
        request.headers,
        _counted(request, limits, take_bytes),
        max_files=limits.files,
        max_part_size=limits.upload_bytes,
    )
    try:
        async with asyncio.timeout(limits.seconds):
            form = await parser.parse()
    except TimeoutError:
        raise HTTPException(
            408, f"the upload took more than {limits.seconds:g} seconds: send less, or faster"
        ) from None
    except FullError:
        raise busy("other uploads fill the memory set aside for them: try again") from None
    except ClientDisconnect:
        raise HTTPException(400, "the client left before its upload was whole") from None
    except MultiPartException as error:
        if error.message.startswith("Too many"):
            raise HTTPException(
                413, f"more than {limits.files} files in one request: send fewer"
            ) from None
        raise _malformed(str(error.__cause__ or error.message)) from None
    try:
        if not parser.whole:
            raise _malformed("it ends before its last boundary")
        files = [file for _, file in form.multi_items() if isinstance(file, UploadFile)]
        if not files:
            raise HTTPException(400, f"no file in the form: {HOW}")
        return [Upload(file.filename or "", await file.read()) for file in files]
    finally:
        await form.close()


async def _counted(
    request: Request, limits: Limits, take_bytes: Callable[[int], None]
) -> AsyncGenerator[bytes, None]:
    """Hand on a request's body, chunk by chunk, until it is too large."""
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > limits.upload_bytes:
            raise _too_large(limits)
        take_bytes(len(chunk))
        yield chunk


def _too_large(limits: Limits) -> HTTPException:
    return HTTPException(
        413, f"the upload is larger than {limits.upload_bytes:,} bytes: send fewer or smaller files"
    )


def _malformed(why: str) -> HTTPException:
    return HTTPException(400, f"malformed multipart form: {why}")
