"""Cells are read in the spellings that people write, and a guarded cell is the value that was exported."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from saasus_mcp.jobs.tables.cells import PARSERS, cell_text
from saasus_mcp.server.results.jmespath_query import csv_cell


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("number", "１２３", 123),
        ("number", "1,234", 1234),
        ("number", "-0.5", -0.5),
        ("number", "＋１．５ｅ３", 1500.0),
        ("bool", "ＴＲＵＥ", True),
        *(("bool", text, True) for text in ("true", "yes", "1", "はい", "有効")),
        *(("bool", text, False) for text in ("false", "no", "0", "いいえ", "無効")),
        *(
            ("date", text, "2026-04-01")
            for text in (
                "2026/4/1",
                "2026-04-01",
                "2026年4月1日",
                "２０２６／４／１",
                "2026.4.1",
                "2026-04-01 00:00:00",
            )
        ),
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
        ("date", "4月1日"),
        ("date", "2026/4/1 9:30"),
    ],
)
def test_anything_else_is_refused(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        PARSERS[kind](text)


@given(st.text())
@example("'=1+1")
@example("''@x")
@example("＝cmd")
@example("\u200b=1")
def test_an_exported_cell_is_no_formula_and_is_imported_as_it_was(text: str) -> None:
    exported = csv_cell(text)
    assert not exported.lstrip(" \u200b\ufeff").startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r"))
    assert cell_text(exported) in (text.strip(), text)
