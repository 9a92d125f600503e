"""Names and figures as Markdown."""

from __future__ import annotations


def escaped(text: str) -> str:
    r"""Return text that Markdown shows as it is: a name is neither a column nor a tag.

    Examples
    --------
    >>> print(escaped("a|b_c"))
    a\|b\_c
    """
    for mark in "\\`*_|<>[]#&~":
        text = text.replace(mark, f"\\{mark}")
    return text
