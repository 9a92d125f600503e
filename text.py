"""What a person reads of paths and names."""

from __future__ import annotations

import re
from pathlib import Path

from .errors import OptionError
from .storage import is_url


def shown(address: object) -> str:
    r"""Return a path, or another image's address, that can be printed, whatever bytes it has.

    Examples
    --------
    >>> shown("caf\udce9\n.jpg")
    'caf\\xe9\\n.jpg'
    """
    # Not os.fsencode: names of a model are UTF-8 whatever the locale is.
    text = str(address).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def below(address: object, root: object) -> str:
    """Return an image's address from its dataset on, fit for print.

    Examples
    --------
    >>> below("s3://bucket/train/cat/1.jpg", "s3://bucket/train")
    'cat/1.jpg'
    """
    if is_url(root) or is_url(address):
        return shown(str(address).removeprefix(str(root).rstrip("/") + "/"))
    path, folder = Path(str(address)), Path(str(root))
    folder = folder if folder.is_dir() else folder.parent
    return shown(path.relative_to(folder) if path.is_relative_to(folder) else path)


def size(count: float) -> str:
    """Return a number of bytes as people write it.

    Examples
    --------
    >>> size(512), size(5_400_000), size(2_183_659_520)
    ('512 B', '5.4 MB', '2.2 GB')
    """
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"


def parse_bytes(text: str) -> int:
    """Read a number of bytes, such as ``"500MB"``.

    Raises
    ------
    OptionError
        If it is none.

    Examples
    --------
    >>> parse_bytes("1.5 GB")
    1500000000
    """
    units = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?b|)", text.strip().casefold())
    if match is None:
        raise OptionError(f"a size is written like 500MB or 8GB, got {text!r}")
    return int(float(match[1]) * units["" if match[2] == "b" else match[2]])
