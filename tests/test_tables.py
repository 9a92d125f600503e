"""Tables of every width: labels and figures whole, paths from the right, what can be spared first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from headstart import console
from headstart.tables import LEAST_PATH, TextTable, shorten

WIDTHS = [40, 60, 80, 100]
CELLS = st.text("abc漢é/", min_size=1, max_size=30)


@st.composite
def tables(draw):
    count = draw(st.integers(2, 9))
    rows = draw(st.lists(st.lists(CELLS, min_size=count, max_size=count), max_size=4))
    return [f"column {number}" for number in range(count)], rows


@given(tables(), st.sampled_from(WIDTHS), st.integers(1, 3))
def test_every_cell_is_whole_and_parts_fit_as_far_as_two_columns_do(table, width, texts):
    columns, rows = table
    parts = TextTable(columns, rows, texts).fitted(width)
    assert [name for part in parts for name in part.columns[part is not parts[0] :]] == columns
    for part in parts:
        assert part.columns[0] == columns[0]
        assert part.width <= width or len(part.columns) == 2
        for whole, row in zip(rows, part.rows, strict=True):
            assert set(row) <= set(whole)


@given(st.text("ab/漢", max_size=60), st.integers(LEAST_PATH, 60))
def test_a_path_keeps_its_end(path, width):
    short = shorten(path, width)
    assert cell_len(short) <= width
    assert path.endswith(short.removeprefix("…"))


def test_what_can_be_spared_goes_before_a_path_is_shortened():
    row = ["a/long/folder/with/photographs/1.jpg", "otter", "0.98", "beaver 0.01, seal 0.01"]
    columns = ["image", "label", "probability", "next"]

    def lay_out(width):
        (part,) = TextTable(columns, [row], 2, ["image"], ["next"]).fitted(width)
        return part

    assert lay_out(100).rows == [row]
    assert lay_out(70).rows == [row[:3]]
    assert lay_out(40).rows == [["…h/photographs/1.jpg", *row[1:3]]]


@pytest.fixture
def printed(monkeypatch):
    """Every table that commands print, before it is laid out."""
    seen = []
    fitted = TextTable.fitted

    def note(table, width):
        seen.append(table)
        return fitted(table, width)

    monkeypatch.setattr(TextTable, "fitted", note)
    return seen


@pytest.fixture
def every_table(headstart, photographs, printed, tmp_path):
    model = tmp_path / "m.headstart"
    for arguments in (
        ("fit", "head", photographs, "--model", "centroid", "--model", "logreg", "--out", model),
        ("fit", "learning-curve", photographs, "--seeds", "1"),
        ("fit", "rank", photographs),
        ("predict", model, photographs, "--abstain", "0.9"),
        ("evaluate", model, photographs, "--abstain", "0.9"),
        ("inspect", photographs),
        ("cache", "info"),
        ("extract", "list"),
        ("extract", "list", "mobilenet"),
    ):
        status, _, err = headstart(*arguments)
        assert status == 0, (arguments, err)
    return printed


def test_no_table_of_any_command_loses_a_label_or_a_figure(every_table, capsys, monkeypatch):
    assert len(every_table) >= 12
    for table in tuple(every_table):  # printing adds to it
        columns, rows = table.columns, table.rows
        may_give_way = {*table.paths, *table.spare}
        for width in WIDTHS:
            monkeypatch.setattr(console.out, "_width", width)
            console.show([table])
            text = capsys.readouterr().out
            for row in rows:
                for name, cell in zip(columns, row, strict=True):
                    assert name in may_give_way or cell.strip() in text, (width, name, cell)
            two = max(cell_len(row[0]) for row in [columns, *rows]) + 30
            assert max(map(cell_len, text.splitlines())) <= max(width, two)
