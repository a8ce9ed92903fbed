"""Workbooks are read as their saved values within bounds, and written so that nothing in them is evaluated."""

from __future__ import annotations

import csv
import io
import re
import sys
import zipfile
from collections.abc import Mapping
from datetime import datetime

import openpyxl
import pytest

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.tables import workbook
from saasus_mcp.jobs.tables.table_file import decode_table_file, encode_table_file
from saasus_mcp.jobs.tables.table_reader import read_table

TEXT = 'メールアドレス,部署\r\nminami@example.jp,"=HYPERLINK(""https://x"")"\r\n0012,𠮷野家 \r\n'


def _cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_a_table_is_the_same_after_a_workbook() -> None:
    raw = encode_table_file(TEXT, ".xlsx")
    decoded = decode_table_file(raw, "people.xlsx")
    assert (_cells(decoded.text), decoded.encoding) == (_cells(TEXT), "xlsx")


def test_no_cell_of_a_written_workbook_is_a_formula_or_a_number() -> None:
    book = openpyxl.load_workbook(io.BytesIO(encode_table_file(TEXT, ".XLSX")))
    cells = [cell for row in book.worksheets[0].iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr"}
    assert "0012" in [cell.value for cell in cells]


def test_dates_and_numbers_of_a_workbook_are_read_as_people_see_them() -> None:
    book = openpyxl.Workbook()
    book.active.append(["since", "count", "rate", "active", "none"])
    book.active.append([datetime(2026, 4, 1), 12.0, 0.5, True, None])  # noqa: DTZ001 - a workbook has no zones
    written = io.BytesIO()
    book.save(written)
    assert _cells(decode_table_file(written.getvalue(), "x").text)[1] == ["2026-04-01", "12", "0.5", "true"]


def make_workbook(cells: Mapping[str, object]) -> bytes:
    book = openpyxl.Workbook()
    for place, value in cells.items():
        book.active[place] = value
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def test_cleared_cells_far_away_are_no_part_of_the_table_and_rows_keep_their_numbers() -> None:
    cells = {"A1": "email", "B1": "note", "A4": "a@example.jp", "C2": " ", "XF90": "", "A900000": " "}
    read = _cells(decode_table_file(make_workbook(cells), "x").text)
    assert read == [["email", "note"], [], [], ["a@example.jp"]]


def test_a_row_of_a_workbook_has_the_number_that_excel_shows() -> None:
    cells = {"A1": "email", "A2": "a\nb\nc", "A5": "d"}
    decoded = decode_table_file(make_workbook(cells), "x")
    assert [row.number for row in read_table(decoded.text, "csv", encoding=decoded.encoding).rows] == [2, 5]


def test_a_semicolon_in_the_cells_of_a_workbook_is_no_separator() -> None:
    cells = {"A1": "user", "B1": "roles (a;b)", "A2": "minami", "B2": "viewer;editor"}
    text = decode_table_file(make_workbook(cells), "x").text
    assert [row.cells for row in read_table(text, "csv").rows] == [{"user": "minami", "roles (a;b)": "viewer;editor"}]


@pytest.mark.parametrize("place", ["A20001", "SH1"])
def test_a_workbook_beyond_the_limits_is_refused(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MAX_SHEET_ROWS", 1)
    with pytest.raises(SaasusMcpError) as caught:
        decode_table_file(make_workbook({"A1": "email", place: "x"}), "x")
    assert caught.value.message.id == "jobs_tables.workbook_too_large"


def test_the_blank_cells_of_a_workbook_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MAX_ALL_CELLS", 16_000)
    with pytest.raises(SaasusMcpError) as caught:
        decode_table_file(make_workbook({"A1": "email", "XFD2": " "}), "x")
    assert caught.value.message.id == "jobs_tables.workbook_too_large"


def test_a_workbook_that_unpacks_to_more_than_the_limit_is_refused_unread() -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(workbook.MAX_UNPACKED_BYTES + 1))
    with pytest.raises(SaasusMcpError) as caught:
        decode_table_file(written.getvalue(), "x")
    assert caught.value.message.id == "jobs_tables.workbook_too_large"


def test_a_damaged_workbook_is_an_error_that_says_how_to_save_it() -> None:
    with pytest.raises(SaasusMcpError) as caught:
        decode_table_file(encode_table_file(TEXT, ".xlsx")[:-200], "x")
    assert caught.value.message.id == "jobs_tables.not_a_workbook"
    assert caught.value.hint == message("jobs_tables.as_csv_hint")


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(SaasusMcpError) as caught:
        encode_table_file(TEXT, ".xlsx")
    assert "saasus-mcp[xlsx]" in str(caught.value.hint)


def test_a_csv_opens_in_excel_as_it_is() -> None:
    assert encode_table_file("a\r\n", ".csv") == b"\xef\xbb\xbfa\r\n"
    assert encode_table_file("a\r\n", ".txt") == b"a\r\n"


@pytest.mark.parametrize("text", ["髙﨑 德一", "ﾔﾏﾀﾞ ﾊﾟﾅｿﾆｯｸ", "①②Ⅳ№㈱", "10～20 春〜夏", "−‖¢£¬", "𠮷野家"])
def test_a_report_opens_in_excel_and_is_read_back_with_every_character(text: str) -> None:
    table = f"氏名,部署\r\n{text},開発課\r\n"
    saved = encode_table_file(table, ".csv")
    assert saved.startswith(b"\xef\xbb\xbf"), "Excel would read it in the encoding of the system"
    assert decode_table_file(saved, "report.csv").text == table


@pytest.mark.parametrize("text", ["髙﨑 德一", "①②Ⅳ№㈱", "10～20", "ﾔﾏﾀﾞ商事 ｶﾌﾞｼｷ"])
def test_a_csv_that_excel_in_japan_saved_keeps_every_character_or_is_refused(text: str) -> None:
    table = f"氏名,部署\r\n{text},開発課\r\n"
    try:
        decoded = decode_table_file(table.encode("cp932"), "list.csv")
    except SaasusMcpError as error:
        assert error.message.id == "cli.file_not_utf8"
        assert "list.csv" in str(error)
    else:
        assert (decoded.text, decoded.encoding) == (table, "cp932")


def test_a_workbook_that_is_read_differently_from_how_it_looks_says_so() -> None:
    book = openpyxl.Workbook()
    book.active["A1"], book.active["A2"], book.active["B2"] = "email", '="a"&"@example.jp"', "みどり薬局"
    book.active.merge_cells("B2:B7")
    book.create_sheet("一覧")
    written = io.BytesIO()
    book.save(written)
    notes = decode_table_file(written.getvalue(), "x").notes
    assert [(note.id, *note.params.values()) for note in notes] == [
        ("jobs_tables.other_sheets", Quoted("Sheet"), (Quoted("一覧"),)),
        ("jobs_tables.merged_cells", "B2:B7"),
        ("jobs_tables.unsaved_formula", "A2"),
    ]
    assert decode_table_file(make_workbook({"A1": "email"}), "x").notes == ()


def test_merged_cells_and_formulas_of_a_sheet_that_is_not_read_are_not_mentioned() -> None:
    book = openpyxl.Workbook()
    book.active["A1"] = "email"
    other = book.create_sheet("一覧", 0)
    book.move_sheet(other, 1)
    other["A1"] = "=1+1"
    other.merge_cells("B2:B7")
    written = io.BytesIO()
    book.save(written)
    assert [note.id for note in decode_table_file(written.getvalue(), "x").notes] == ["jobs_tables.other_sheets"]


def test_of_many_sheets_the_first_ones_are_named() -> None:
    book = openpyxl.Workbook()
    book.active["A1"] = "email"
    for number in range(2, 30):
        book.create_sheet(f"S{number}")
    written = io.BytesIO()
    book.save(written)
    [note] = decode_table_file(written.getvalue(), "x").notes
    assert note.params["others"] == (*(Quoted(f"S{number}") for number in range(2, 12)), "…")


def test_a_formula_with_a_saved_value_or_an_empty_text_is_nothing_to_mention() -> None:
    raw = make_workbook({"A1": '="a"', "A2": '=""'})
    saved = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as archive, zipfile.ZipFile(saved, "w") as copy:
        for part in archive.namelist():
            xml = archive.read(part).decode()
            for cell, value in {"A1": "a", "A2": ""}.items():  # as Excel saves them
                xml = re.sub(
                    rf'<c r="{cell}"(.*?)<v ?/>|<c r="{cell}"(.*?)<v></v>',
                    rf'<c r="{cell}" t="str"\1\2<v>{value}</v>',
                    xml,
                )
            copy.writestr(part, xml)
    assert decode_table_file(saved.getvalue(), "x").notes == ()
