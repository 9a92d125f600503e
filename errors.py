"""The errors that headstart expects and tells in one line."""

from __future__ import annotations


class HeadstartError(Exception):
    """Something the user can mend; the message says what, where and how."""

    status = 1  # what the command exits with


class DataError(HeadstartError):
    """The dataset cannot be used as it stands."""


class DecodeError(HeadstartError):
    """The bytes of one file are not an image that can be used."""


class WeightsError(HeadstartError):
    """Backbone weights are missing, damaged or do not fit."""


class CacheError(HeadstartError):
    """The feature cache cannot be read or written."""


class EngineError(HeadstartError):
    """An engine cannot run this backbone, or computes other features than TensorFlow."""


class ModelError(HeadstartError):
    """A saved classifier cannot be loaded or does not fit."""


class ExportError(ModelError):
    """A classifier cannot be written for another runtime, or would answer differently there."""


class TrainingError(HeadstartError):
    """Training went astray and was stopped."""


class GateError(HeadstartError):
    """What ``--assert`` asks for is not met."""

    status = 3


class OptionError(HeadstartError):
    """An option has a value that headstart does not know."""


def first_line(error: BaseException) -> str:
    r"""Return what an error says, as far as one line goes; its kind where it says nothing.

    Examples
    --------
    >>> first_line(ValueError("no such layer\nGraph: ..."))
    'no such layer'
    >>> first_line(KeyError())
    'KeyError'
    """
    return (str(error).splitlines() or [type(error).__name__])[0]


def unknown(what: str, name: str, valid: list[str]) -> OptionError:
    """Build the error for a name that is not in a table.

    Examples
    --------
    >>> str(unknown("head", "logref", ["logreg", "ridge"]))
    "unknown head 'logref'; did you mean 'logreg'? valid: logreg, ridge"
    """
    import difflib

    close = difflib.get_close_matches(name, valid, n=1)
    hint = f" did you mean {close[0]!r}?" if close else ""
    return OptionError(f"unknown {what} {name!r};{hint} valid: {', '.join(valid)}")
