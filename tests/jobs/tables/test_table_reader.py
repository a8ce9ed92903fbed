"""A table is read as people have it, or is refused with an error that names the fix."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.jobs.tables.cells import cell_text
from saasus_mcp.jobs.tables.column_names import ColumnNames
from saasus_mcp.jobs.tables.table_reader import MAX_CELLS, MAX_ROWS, read_table
from saasus_mcp.server.results.jmespath_query import csv_cell

ROWS = [{"name": "青空", "note": 'a "b"\r\nc'}, {"name": "緑", "note": ""}]


@pytest.mark.parametrize("mark", [",", "\t", ";"])
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize(
    "surplus", ["{0}{0}{0}", "{0}\u3000{0} {0}", ""], ids=["blank columns", "columns of spaces", "no surplus"]
)
def test_a_spreadsheet_is_read_whatever_surrounds_its_table(mark: str, end: str, surplus: str) -> None:
    more = surplus.format(mark)
    lines = [f"{mark}{more}", f"name{mark}note{more}", f'青空{mark}"a ""b""\r\nc"{more}', f"緑{mark}{more}"]
    text = end.join([*lines, more, f"{mark}{more}", ""])
    table = read_table(text, "csv")
    assert table.columns == ("name", "note")
    assert [row.cells for row in table.rows] == ROWS
    assert not any(row.is_too_long for row in table.rows)


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("sep=;\r\na,b;c\r\n1,2;3", {"a,b": "1,2", "c": "3"}),
        ("a;b,c\n1;2\n", {"a": "1", "b,c": "2"}),
        ('"a,b"\tc\n1\t2', {"a,b": "1", "c": "2"}),
        ("a,b\n1\n", {"a": "1", "b": ""}),
        ("a\n1", {"a": "1"}),
        ("\ufeffa,b\n1,2", {"a": "1", "b": "2"}),
    ],
)
def test_the_separator_is_the_mark_that_splits_every_row_alike(text: str, cells: dict[str, str]) -> None:
    assert [row.cells for row in read_table(text, "csv").rows] == [cells]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b;c\n1,2;3\n", "separator is not clear"),
        ('a,b\n1,"2', "line 2 is not valid CSV"),
        ("Email,email\n1,2", "both mean the column email"),
        (["a"], "is not a table"),
        (7, "is not a table"),
        ("a\n" + "1\n" * (MAX_ROWS + 1), "more than 5,000 lines"),
        ([{"a": 1}] * (MAX_ROWS + 1), "more than 5,000 lines"),
        (",".join(f"c{n}" for n in range(100)) + ("\n" + "1," * 100) * (MAX_CELLS // 100 + 1), "100,000 cells"),
        ("c," * 501, "500 columns"),
    ],
)
def test_what_is_no_clear_table_is_refused(content: object, said: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        read_table(content, "csv", ColumnNames({"email": ()}).find)
    assert said in str(caught.value)
    assert caught.value.hint


def test_a_row_with_more_cells_than_headings_is_marked_and_its_number_is_that_of_an_editor() -> None:
    table = read_table("a,b\n\n1,2\n1,2,3\n", "csv")
    assert [(row.number, row.is_too_long) for row in table.rows] == [(3, False), (4, True)]


def test_blank_rows_do_not_count_toward_the_limit() -> None:
    assert len(read_table("a,b\n1,2\n" + ",\n" * 20_000, "csv").rows) == 1


@pytest.mark.parametrize(
    ("text", "plain", "described"),
    [
        ("email,note\na,b", True, "comma-separated, 1 row, columns email, note"),
        ("メール\tnote\na\tb\nc\td", False, "tab-separated, 2 rows, columns メール → email, note"),
    ],
)
def test_the_reading_tells_what_was_understood(text: str, plain: bool, described: str) -> None:
    reading = read_table(text, "csv", ColumnNames({"email": ("メール",)}).find).reading
    assert (reading.is_plain, reading.describe().text("en")) == (plain, described)


CELLS = st.text()


@given(st.lists(st.tuples(CELLS, CELLS.map(lambda text: f"=+@'{text}")), min_size=1, max_size=8))
def test_hostile_cells_are_the_same_after_an_export_and_an_import(rows: list[tuple[str, str]]) -> None:
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(["login", "note"])
    writer.writerows([[csv_cell(cell) for cell in row] for row in rows])
    read = [[cell_text(cell) for cell in row.cells.values()] for row in read_table(written.getvalue(), "csv").rows]
    assert [[cell.strip() for cell in row] for row in read] == [[cell.strip() for cell in row] for row in rows]
