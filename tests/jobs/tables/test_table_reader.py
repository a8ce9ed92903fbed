"""A table is read as people have it, or is refused with an error that names the fix."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.jobs.reports.table import Table
from saasus_mcp.jobs.tables.cells import ColumnNames, cell_text
from saasus_mcp.jobs.tables.table_file import decode_table_file, encode_table_file
from saasus_mcp.jobs.tables.table_reader import MAX_CELLS, MAX_TABLE_ROWS, read_table

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
        ('a,b\n1,"2\n3,4\n', "line 2 is not valid CSV: a quotation mark is not closed"),
        ('a,b\n"x\ny",1\n"1"2,3\n', "line 4 is not valid CSV: text follows a closing quotation mark"),
        ("a,b\n1," + "2" * 140_000, "line 2 is not valid CSV: a cell has more than 131,072"),
        ("Email,email\n1,2", "both mean the column email"),
        ("List of people,,\n\nemail,name,tenant\na@b.jp,A,t\n", "one cell, “List of people”, and the rows below"),
        ("List of people\nof December\nemail,name\na@b.jp,A\n", "one cell, “List of people”, and the rows below"),
        ("List of people\nemail\tname\na@b.jp\tA\n", "one cell, “List of people”, and the rows below"),
        (["a"], "is not a table"),
        (7, "is not a table"),
        ("a\n" + "1\n" * (MAX_TABLE_ROWS + 1), "more than 5,000 lines"),
        ([{"a": 1}] * (MAX_TABLE_ROWS + 1), "more than 5,000 lines"),
        (",".join(f"c{n}" for n in range(100)) + ("\n" + "1," * 100) * (MAX_CELLS // 100 + 1), "100,000 cells"),
        ("c," * 501, "500 columns"),
    ],
)
def test_an_ambiguous_table_is_refused(content: object, said: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        read_table(content, "csv", ColumnNames({"email": ()}).find)
    assert said in str(caught.value)
    assert caught.value.hint


def test_a_row_with_more_cells_than_headings_is_marked_and_its_number_is_that_of_an_editor() -> None:
    table = read_table("a,b\n\n1,2\n1,2,3\n", "csv")
    assert [(row.number, row.is_too_long) for row in table.rows] == [(3, False), (4, True)]
    table = read_table('a,b\n"1\n1",2\n3,4\n', "csv")
    assert [row.number for row in table.rows] == [2, 4], "the line on which a row begins"


def test_blank_rows_do_not_count_toward_the_limit() -> None:
    assert len(read_table("a,b\n1,2\n" + ",\n" * 20_000, "csv").rows) == 1


@pytest.mark.parametrize(
    ("text", "encoding", "plain", "described"),
    [
        ("email,note\na,b", "", True, "comma-separated, 1 row; columns: email, note"),
        (
            "email,note\n\na,b\n",
            "utf-8",
            True,
            "UTF-8, comma-separated, 1 row, 1 blank row ignored; columns: email, note",
        ),
        ("email,note\na,b", "euc_jp", False, "EUC-JP, comma-separated, 1 row; columns: email, note"),
        ("email,note\na,b", "xlsx", False, "the first sheet of an Excel workbook, 1 row; columns: email, note"),
        (
            "\t\nメール\tnote\na\tb\nc\td\n\t\n\t\n",
            "cp932",
            False,
            "CP932 (Shift_JIS), tab-separated, 2 rows, 3 blank rows ignored; columns: メール → email, note",
        ),
    ],
)
def test_the_reading_tells_what_was_understood(text: str, encoding: str, plain: bool, described: str) -> None:
    reading = read_table(text, "csv", ColumnNames({"email": ("メール",)}).find, encoding).reading
    assert (reading.is_plain, reading.describe().text("en")) == (plain, described)


def test_a_column_is_found_by_the_spelling_that_comes_first() -> None:
    names = ColumnNames({"tenant": ("tenant id", "顧客名"), "amount": ("total",)})
    assert names.first("tenant", ["顧客名", "Tenant_ID", "Total"]) == "Tenant_ID"
    assert names.first("tenant", ["顧客名"]) == "顧客名"
    assert names.first("amount", ["顧客名"]) is None


CELLS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.sampled_from(
        ["=1+1", "'=1+1", "''", "\ufeffx", "a;b\tc", '"', "sep=;", "０１２", "-1", "+81 3", "\u200b@x", "_x0041_"]
    ),
)


def _strip(rows: list[list[str]]) -> list[list[str]]:
    return [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8), st.sampled_from([".csv", ".txt"]))
@example([("\0", "\0")], ".txt")
@example([("", "\0")], ".txt")
def test_hostile_cells_are_the_same_after_an_export_and_an_import_but_for_nul(
    rows: list[tuple[str, str]], suffix: str
) -> None:
    table = Table(("ログインID", "部署"), "csv", "ja")
    table.add_rows(rows)
    decoded = decode_table_file(encode_table_file(str(table.content()), suffix), "x")
    found = read_table(decoded.text, "csv", ColumnNames({"login": ("ログインID",)}).find)
    read = [[cell_text(cell) for cell in row.cells.values()] for row in found.rows]
    assert found.columns == ("login", "部署")
    assert _strip(read) == _strip([[cell.replace("\0", "\ufffd") for cell in row] for row in rows])


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4))
@settings(max_examples=25)
def test_hostile_cells_are_the_same_after_a_workbook_but_for_characters_that_it_cannot_hold(
    rows: list[tuple[str, str]],
) -> None:
    table = Table(("login", "note"), "csv", "en")
    table.add_rows(rows)
    decoded = decode_table_file(encode_table_file(str(table.content()), ".xlsx"), "x")
    read = [[cell_text(cell) for cell in row.cells.values()] for row in read_table(decoded.text, "csv").rows]
    told = [[re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f]", "\ufffd", cell) for cell in row] for row in rows]
    assert _strip(_lines(read)) == _strip(_lines(told))


def _lines(rows: list[list[str]]) -> list[list[str]]:
    """Return the rows with one kind of line end, since XML knows only one."""
    return [[cell.replace("\r\n", "\n").replace("\r", "\n") for cell in row] for row in rows]
