"""Places: file systems behind URLs, what their errors say, files replaced in one piece."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from .errors import HeadstartError, OptionError, first_line

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LOCAL = re.compile(r"(?:file|local)://")

ATTEMPTS = 3
PAUSE = 0.2  # seconds before the second attempt; the third waits four times as long

Result = TypeVar("Result")


def is_url(place: object) -> bool:
    """Tell whether a place is a URL and no path.

    Examples
    --------
    >>> is_url("s3://bucket/photographs"), is_url("photographs")
    (True, False)
    """
    return _URL.match(str(place)) is not None


def without_file(url: str) -> str:
    """Return the path that a ``file://`` URL means; anything else as it is.

    Examples
    --------
    >>> without_file("file:///photographs"), without_file("s3://bucket")
    ('/photographs', 's3://bucket')
    """
    return _LOCAL.sub("", url, count=1)


def file_system(url: str) -> tuple[Any, str]:
    """Return the fsspec file system of a URL and the path on it.

    It keeps no listings: what another machine adds is seen at the next look.

    Raises
    ------
    OptionError
        If a package is missing or the protocol is unknown; the message has the remedy.

    Examples
    --------
    >>> file_system("memory://photographs/cat")[1]
    '/photographs/cat'
    """
    protocol = url.partition("://")[0]
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        raise OptionError(
            f"{protocol}:// needs a package that is missing ({first_line(error)}): "
            "pip install 'headstart[cloud]'"
        ) from error
    except ValueError as error:
        raise OptionError(
            f"cannot read {url} ({first_line(error)}); expected s3://, gs://, https://, "
            "file:// or another protocol of fsspec"
        ) from error
    return system, str(path)


def attempt(action: Callable[[], Result]) -> Result:
    """Do something over the network, up to three times.

    File systems retry what their own protocol calls transient; this is for connections that
    break in between. What a repeat cannot mend is raised at once.
    """
    for number in range(ATTEMPTS - 1):
        try:
            return action()
        except (FileNotFoundError, IsADirectoryError, NotImplementedError, PermissionError):
            raise
        except Exception as error:  # every file system has its own
            if type(error).__name__ in _HOPELESS:
                raise
            time.sleep(PAUSE * 4**number)
    return action()


# Of botocore, google-auth and aiohttp, which need not be installed.
_HOPELESS = {
    "DefaultCredentialsError": "no credentials",
    "InvalidURL": "no valid URL",
    "NoCredentialsError": "no credentials",
    "ParamValidationError": "no valid name",
    "PartialCredentialsError": "incomplete credentials",
    "ProfileNotFound": "no such profile",
    "TokenRetrievalError": "no credentials",
}
_REMEDY = {
    "no credentials": "set AWS_PROFILE or GOOGLE_APPLICATION_CREDENTIALS, or FSSPEC_S3_ANON=true "
    "for public data"
}


def why(error: Exception) -> str:
    """Return what went wrong, in one line without a path, with a remedy where one is known.

    Examples
    --------
    >>> why(FileNotFoundError(2, "no such file", "s3://bucket/a"))
    'no such file or bucket'
    """
    kind = type(error).__name__
    if kind in _HOPELESS:
        what = _HOPELESS[kind]
        return f"{what}: {_REMEDY[what]}" if what in _REMEDY else f"{what}: {first_line(error)}"
    if isinstance(error, FileNotFoundError):
        text = first_line(error)
        return "no such bucket" if "bucket does not exist" in text else "no such file or bucket"
    if isinstance(error, PermissionError):
        return f"not permitted: {first_line(error)}; are these the right credentials?"
    if isinstance(error, NotImplementedError):
        return "this protocol cannot do that"
    return first_line(error)


@contextlib.contextmanager
def telling(kind: type[HeadstartError], what: str) -> Iterator[None]:
    """Turn what a file system raises, each its own, into an error of ours: what failed, and why.

    Errors of ours pass as they are.

    Examples
    --------
    >>> with telling(OptionError, "cannot read"):
    ...     raise OSError("no route to host")
    Traceback (most recent call last):
        ...
    headstart.errors.OptionError: cannot read: no route to host
    """
    try:
        yield
    except HeadstartError:
        raise
    except Exception as error:
        raise kind(f"{what}: {why(error)}") from error


def user_folder() -> Path:
    """Return where this machine keeps what is only its own: the platform's user cache folder."""
    return platformdirs.user_cache_path("headstart")


def temporary_name() -> str:
    """Return the name of a file that is being written: it tells its writer, for its heirs."""
    return f".{uuid.uuid4().hex}.{socket.gethostname()}.{os.getpid()}.tmp"


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Give a temporary path that takes the place of ``path`` if the block succeeds.

    Others see the file as it was or as it will be, never a half. What the block wrote is
    removed if it fails, even if it is a folder.

    Parameters
    ----------
    path : Path
        Its folder is made when missing.
    durable : bool
        Outlast a power cut: the file is on the disk before it has its name.

    Yields
    ------
    Path
        In the same folder; nothing is there yet.

    Raises
    ------
    OSError
        If the disk refuses.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder, "sub", "notes")) as temporary:
    ...         _ = temporary.write_text("whole")
    ...     Path(folder, "sub", "notes").read_text()
    'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(temporary_name())
    try:
        yield temporary
        if durable:
            _sync(temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder outlast a power cut."""
    if sys.platform != "win32":  # where no folder can be opened
        _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
