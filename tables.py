"""Tables that fit a terminal: figures and labels whole, paths shortened, the rest below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

GAP = 2  # cells between two columns
LEAST_PATH = 12  # cells of a shortened path: enough for most files' own names


@dataclass(frozen=True)
class Part:
    """Columns that fit side by side.

    Parameters
    ----------
    columns : list of str
        Their headers.
    rows : list of list of str
        Their cells.
    texts : int
        How many of the columns are text, which stands at the left.
    """

    columns: list[str]
    rows: list[list[str]]
    texts: int

    @property
    def widths(self) -> list[int]:
        """Cells of each column."""
        return [max(map(cell_len, column)) for column in zip(self.columns, *self.rows, strict=True)]

    @property
    def width(self) -> int:
        """Cells from the first column to the last."""
        return sum(self.widths) + GAP * (len(self.widths) - 1)

    def lines(self) -> Iterator[str]:
        """Yield the header and the rows, text at the left of its column, figures at the right."""
        widths = self.widths
        for row in (self.columns, *self.rows):
            cells = [
                cell + pad if position < self.texts else pad + cell
                for position, cell in enumerate(row)
                for pad in [" " * (widths[position] - cell_len(cell))]
            ]
            yield (" " * GAP).join(cells).rstrip()


@dataclass(frozen=True)
class TextTable:
    """A table for people; no label and no figure of it is ever cut.

    What does not fit a width goes in this order: the spare columns are left out, the paths are
    shortened from the left, the last columns stand in a table of their own below, behind the first
    column.

    Examples
    --------
    >>> row = ["holiday/beach/1.jpg", "otter", "0.98"]
    >>> table = TextTable(["image", "label", "probability"], [row], texts=2, paths=["image"])
    >>> [part.rows for part in table.fitted(34)]
    [[['…y/beach/1.jpg', 'otter', '0.98']]]
    """

    columns: Sequence[str]  # (n,): headers
    rows: Sequence[Sequence[str]]  # each (n,): cells
    texts: int = 1  # columns from the left that are text; the others are figures
    paths: Sequence[str] = ()  # headers of columns that hold paths
    spare: Sequence[str] = ()  # headers of columns that are left out, the first first

    def fitted(self, width: int) -> list[Part]:
        """Return the parts that fit a width, in cells."""
        whole = Part(list(self.columns), [list(row) for row in self.rows], self.texts)
        for name in self.spare:
            if whole.width <= width:
                break
            whole = _without(whole, whole.columns.index(name))
        for name in self.paths:
            if whole.width > width:
                whole = _shortened(whole, whole.columns.index(name), whole.width - width)
        return list(_side_by_side(whole, width))

    def lines(self, width: int) -> list[str]:
        """Return the lines of all parts, an empty one between two."""
        parts = [list(part.lines()) for part in self.fitted(width)]
        return [line for n, part in enumerate(parts) for line in (["", *part] if n else part)]


def shorten(path: str, width: int) -> str:
    """Return the end of a path that fits, behind an ellipsis.

    Examples
    --------
    >>> shorten("holiday/beach/1.jpg", 12), shorten("1.jpg", 12)
    ('…beach/1.jpg', '1.jpg')
    """
    if cell_len(path) <= width:
        return path
    kept = path
    while cell_len(kept) > width - 1:
        kept = kept[1:]
    return f"…{kept}"


def _without(part: Part, position: int) -> Part:
    def cut(cells: list[str]) -> list[str]:
        return cells[:position] + cells[position + 1 :]

    texts = part.texts - (position < part.texts)
    return Part(cut(part.columns), [cut(row) for row in part.rows], texts)


def _shortened(part: Part, position: int, over: int) -> Part:
    """Shorten a column of paths by so many cells, but not below what tells files apart."""
    longest = max((cell_len(row[position]) for row in part.rows), default=0)
    room = max(longest - over, LEAST_PATH)
    rows = [
        [*row[:position], shorten(row[position], room), *row[position + 1 :]] for row in part.rows
    ]
    return Part(part.columns, rows, part.texts)


def _side_by_side(part: Part, width: int) -> Iterator[Part]:
    """Yield the columns in as few parts as fit, each behind the first column."""
    if part.width <= width or len(part.columns) <= 2:
        yield part
        return
    count = len(part.columns) - 1
    while count > 2 and _first(part, count).width > width:
        count -= 1
    yield _first(part, count)
    rest = [0, *range(count, len(part.columns))]
    below = Part(
        [part.columns[position] for position in rest],
        [[row[position] for position in rest] for row in part.rows],
        max(1, part.texts - count + 1),
    )
    yield from _side_by_side(below, width)


def _first(part: Part, count: int) -> Part:
    rows = [row[:count] for row in part.rows]
    return Part(part.columns[:count], rows, min(part.texts, count))
