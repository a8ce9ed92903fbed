"""Text in the columns of a terminal: full-width letters take two columns, nothing is lost, brackets stay with their words."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.cli.text_layout import wrap_prose, wrap_text
from saasus_mcp.common.text import display_width

ANY = st.text(alphabet="ab 、。「」(日本語ｱ\u3099é\n", max_size=80)


@given(ANY, st.integers(4, 30))
def test_no_line_is_too_wide_and_no_letter_is_lost(text: str, columns: int) -> None:
    lines = list(wrap_text(text, columns, "- "))
    assert all(display_width(line) <= columns for line in lines)
    assert "".join("".join(line[2:] for line in lines).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("青空商事のテナント", ["青空商事", "のテナン", "ト"]),
        ("青空商事、緑", ["青空商", "事、緑"]),
        ("緑の丘「青空」", ["緑の丘", "「青空」"]),
        ("two words here", ["two", "words", "here"]),
        ("longest-word", ["longest-", "word"]),
    ],
)
def test_lines_break_where_a_reader_expects_it(text: str, lines: list[str]) -> None:
    assert list(wrap_text(text, 8)) == lines


def test_a_wrapped_line_continues_below_the_start_of_the_text() -> None:
    assert list(wrap_text("元に戻せません。", 10, "⚠ ")) == ["⚠ 元に戻せ", "  ません。"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("  a b  to watch it all", ["  a b  to watch it", "       all"]),
        ("  -> set it up again", ["  -> set it up", "     again"]),
        ("id  two words here now", ["id  two words here", "    now"]),
    ],
)
def test_prose_goes_on_below_its_beginning(text: str, lines: list[str]) -> None:
    assert wrap_prose(text, 18).split("\n") == lines


@given(ANY, st.lists(st.integers(0, 80), max_size=6), st.integers(8, 30))
def test_colours_change_neither_the_lines_nor_the_letters(text: str, places: list[int], columns: int) -> None:
    styled = text
    for number, place in enumerate(sorted((min(each, len(text)) for each in places), reverse=True)):
        styled = styled[:place] + ("\x1b[31m", "\x1b[0m")[number % 2] + styled[place:]
    wrapped = wrap_prose(styled, columns)
    assert [line.rstrip() for line in click.unstyle(wrapped).split("\n")] == [
        line.rstrip() for line in wrap_prose(text, columns).split("\n")
    ]
    assert wrapped.count("\x1b[") == len(places)
