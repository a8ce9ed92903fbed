"""Every attack of the corpus is played, and the table in docs/security.md shows the results of this run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from itertools import groupby
from pathlib import Path

import pytest

from saasus_mcp.catalog import Catalogue
from tests.support.attack_corpus import ATTACKS, Attack, AttackContext

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
BEGIN, END = "<!-- corpus: begin -->\n", "<!-- corpus: end -->\n"
NOT_CASES = {"__init__", "corpus"}

for file in sorted(Path(__file__).parent.glob("*.py")):
    if file.stem not in NOT_CASES and not file.stem.startswith("test_"):
        import_module(f"tests.hardening.{file.stem}")


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, str]]:
    """Return the results by title. With CORPUS=update, write them to the page."""
    found: dict[str, str] = {}
    yield found
    if os.environ.get("CORPUS") == "update":
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        PAGE.write_text(before + BEGIN + table(found) + END + rest.partition(END)[2], encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.title)
async def test_the_product_holds_against(
    attack: Attack, results: dict[str, str], catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = await attack.run(AttackContext(catalogue, tmp_path, monkeypatch))
    assert "|" not in result
    results[attack.title] = result
    if os.environ.get("CORPUS") != "update":
        assert f"{attack.row} {result} |\n" in written(), "make attacks"


def test_the_table_has_the_attacks_of_the_corpus_and_no_others() -> None:
    rows = [
        line for line in written().splitlines() if line.startswith("| ") and not line.startswith(("| attack", "| -"))
    ]
    assert len(rows) == len(ATTACKS), "make attacks"
    assert all(any(row.startswith(attack.row) for row in rows) for attack in ATTACKS), "make attacks"


def written() -> str:
    """Return the table of the page."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def table(found: dict[str, str]) -> str:
    """Return the table of the attacks by area, with their results."""
    by_area = sorted(ATTACKS, key=lambda attack: attack.area)
    parts = []
    for area, attacks in groupby(by_area, key=lambda attack: attack.area):
        rows = [f"{attack.row} {found[attack.title]} |" for attack in attacks if attack.title in found]
        parts.append("\n".join([f"### {area}", "", "| attack | result |", "| --- | --- |", *rows, "", ""]))
    return "".join(parts)
