"""What a person reads of paths and names."""

from __future__ import annotations

from pathlib import Path

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
