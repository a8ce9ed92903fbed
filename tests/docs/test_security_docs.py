"""docs/security.md claims nothing without a test that holds it, and names no test that is not there or does not run."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "security.md").read_text(encoding="utf-8")
DEFENDED = PAGE.split("## Defended, with tests")[1].split("## Attacks on limits, secrets and records")[0]
NAMED = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")
ROWS = [line.strip("|").split(" | ") for line in DEFENDED.splitlines() if re.match(r"\| (?!claim|---)", line)]


@cache
def named_in(file: str) -> dict[str, str]:
    """Return the tests of a file, each with its decorators."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return {
        node.name: " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_the_page_claims_something() -> None:
    assert len(ROWS) >= 35
    assert all(len(row) == 2 for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[row[0].strip()[:60] for row in ROWS])
def test_every_claim_names_its_tests_and_nothing_else(row: list[str]) -> None:
    assert NAMED.findall(row[1])
    assert NAMED.sub("", row[1]).strip(" ,") == ""


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED.findall(PAGE))))
def test_each_named_test_exists_and_runs(file: str, name: str) -> None:
    assert name, f"{file}: which test of it?"
    assert name in named_in(file)
    assert not re.search(r"\b(skip|skipif|xfail)\b", named_in(file)[name])
