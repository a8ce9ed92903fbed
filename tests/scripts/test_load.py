"""The tables of `make load`: those of one run, in both languages, with names for all that the tests run."""

from __future__ import annotations

from pathlib import Path

import pytest

from saasus_mcp.common.language import Language
from scripts.load import BEGIN, END, HEADS, PAGES, TERMS, read_rows, write_pages, write_row
from tests.support.hostile_client import SCENARIOS

CELLS = {table: [str(number) for number, _ in enumerate(heads[1:])] for table, heads in HEADS.items()}


def test_the_rows_of_a_run_replace_those_of_the_one_before(tmp_path: Path) -> None:
    pages: dict[Language, Path] = {"en": tmp_path / "page.md", "ja": tmp_path / "page.ja.md"}
    for page in pages.values():
        page.write_text(f"before\n{BEGIN}| an earlier run | 1 |\n{END}after\n", encoding="utf-8")
    file = tmp_path / "rows"
    assert read_rows(file) == []
    write_row(file, "load", ("two", "legacy", "killed", "SQLite"), CELLS["load"])
    write_row(file, "shares", ("streams",), CELLS["shares"])
    write_pages(read_rows(file), pages, {"en": "a machine\n", "ja": "マシン\n"})
    english, japanese = (pages[language].read_text(encoding="utf-8") for language in ("en", "ja"))
    assert "| two servers, sessions, one is killed, SQLite | 0 | 1 |" in english
    assert "| 2台、セッション、1台を強制終了、SQLite | 0 | 1 |" in japanese
    for text in (english, japanese):
        assert "an earlier run" not in text
        assert text.startswith("before\n")
        assert text.endswith(f"{END}after\n")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_has_a_name_in_both_languages(scenario: str) -> None:
    assert all(TERMS[scenario])


@pytest.mark.parametrize("page", PAGES.values(), ids=lambda page: page.name)
def test_the_pages_have_a_place_for_the_tables(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert (text.count(BEGIN), text.count(END)) == (1, 1)
    assert text.index(BEGIN) < text.index(END)
