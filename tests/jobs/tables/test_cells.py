"""Cells are read in the spellings that people write, and a guarded cell is the value that was exported."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from saasus_mcp.common.timezones import find_time_zone
from saasus_mcp.jobs.tables.cells import PARSERS, cell_text, date_of_serial, explain_value, parse_moment
from saasus_mcp.server.results.jmespath_query import csv_cell


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("number", "１２３", 123),
        ("number", "1,234", 1234),
        ("number", "-0.5", -0.5),
        ("number", "＋１．５ｅ３", 1500.0),
        ("bool", "ＴＲＵＥ", True),
        *(("bool", text, True) for text in ("true", "yes", "1", "はい", "有効", "○", "〇", "✓")),
        *(("bool", text, False) for text in ("false", "no", "0", "いいえ", "無効", "\u00d7", "✕")),
        *(
            ("date", text, "2026-04-01")
            for text in (
                "2026/4/1",
                "2026-04-01",
                "2026年4月1日",
                "２０２６／４／１",
                "2026.4.1",
                "2026-04-01 00:00:00",
                "令和8年4月1日",
                "R8.4.1",
                "Ｒ８／４／１",
                "20260401",
            )
        ),
        ("date", "令和元年５月１日", "2019-05-01"),
        ("date", "平成31年4月30日", "2019-04-30"),
        ("date", "昭和64年1月7日", "1989-01-07"),
    ],
)
def test_a_value_is_read_as_people_write_it(kind: str, text: str, value: object) -> None:
    assert PARSERS[kind](text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("number", "12,34"),
        *(("number", text) for text in ("nan", "1_000", "1_0.5", "10²", "①", "1½", "1e400", ".", "9" * 5_000)),
        ("bool", "maybe"),
        ("date", "2026/13/1"),
        ("date", "1/4/2026"),
        ("date", "4/1"),
        ("date", "20260231"),
        ("date", "4月1日"),
        ("date", "2026/4/1 9:30"),
        ("date", "平成31年5月1日"),
        ("date", "令和元年4月30日"),
        ("date", "令和8/4/1"),
        ("date", "R8年4月1日"),
        ("date", "H31.5.1"),
        ("date", "T8.4.1"),
        ("date", "8年4月1日"),
    ],
)
def test_anything_else_is_refused(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        PARSERS[kind](text)


@pytest.mark.parametrize(
    ("text", "instant", "by_zone"),
    [
        *(
            (text, 1798693200, True)
            for text in (
                "2026-12-31T14:00",
                "2026/12/31 14:00",
                "２０２６／１２／３１　１４：００",
                "2026年12月31日 14:00:00",
                "2026年12月31日14時",
                "令和8年12月31日(木) 14時00分",
            )
        ),
        *(
            (text, 1798693200, False)
            for text in (
                "2026-12-31T05:00:00Z",
                "2026/12/31 14:00+09:00",
                "2026年12月31日(木) 14:00 JST",
                "2026/12/31 5:00 UTC",
            )
        ),
        ("2027/1/1", 1798729200, True),
    ],
)
def test_a_moment_is_read_as_people_write_it_in_the_zone_of_the_reader(text: str, instant: int, by_zone: bool) -> None:
    tokyo = find_time_zone("Asia/Tokyo")
    assert tokyo is not None
    assert parse_moment(text, tokyo) == (instant, by_zone)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "14:00",
        "2026-1-112:00",
        "2026-12-31 25:00",
        "2026/12/31 午後2時",
        "2026/2/29 9:00",
        "2027-03-14 02:30",
        "12/31 14:00",
    ],
)
def test_a_moment_that_clocks_do_not_show_is_refused(text: str) -> None:
    new_york = find_time_zone("America/New_York")
    assert new_york is not None
    with pytest.raises(ValueError, match=r"."):
        parse_moment(text, new_york)


@given(st.text())
@example("'=1+1")
@example("''@x")
@example("＝cmd")
@example("\u200b=1")
def test_an_exported_cell_is_no_formula_and_is_imported_as_it_was(text: str) -> None:
    exported = csv_cell(text)
    assert not exported.lstrip(" \u200b\ufeff").startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r"))
    assert cell_text(exported) in (text.strip(), text)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("46388", date(2027, 1, 1)),
        ("４６３８８.375", date(2027, 1, 1)),
        ("20270101", None),
        ("1796083200", None),
        ("12", None),
    ],
)
def test_the_number_that_a_workbook_stores_for_a_date_is_recognized(text: str, day: date | None) -> None:
    assert date_of_serial(text) == day
    assert explain_value("date", text).id == ("jobs_tables.date_serial" if day else "jobs_users.not_a.date")
