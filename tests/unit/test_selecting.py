"""Picking from a large answer: what JMESPath finds, and expressions that would cost too much."""

from __future__ import annotations

import csv
import io

import pytest

from saasus_mcp.saasus.places import InvalidArguments
from saasus_mcp.server.selecting import as_csv, select

USERS = {"users": [{"id": f"u{n}", "email": f"user{n}@example.com", "tenant": n % 7} for n in range(10_000)]}


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("length(users)", 10_000),
        ("users[?email=='user9876@example.com'].id | [0]", "u9876"),
        ("users[-1].id", "u9999"),
        ("nothing.here", None),
        ("users[?tenant==`3`] | length(@)", 1429),
    ],
)
def test_an_expression_finds_it(expression: str, found: object) -> None:
    assert select(USERS, expression) == found


@pytest.mark.parametrize(
    "expression",
    [
        "users[",
        "nosuch(users)",
        "length(users[0].tenant)",
        "",
        "a" * 2_000,
        "[@,@]" + "|[@,@]" * 60,
        "[@,@][]" + "|[@,@][]" * 60,
        "users[0].email" + "|join('',[@,@])" * 60,
        "users[*].[@,@][]" + "|[@,@][]" * 40,
        "(" * 900 + "@" + ")" * 90,
    ],
    ids=range(10),
)
def test_an_expression_that_is_wrong_or_too_dear_is_refused_by_name(expression: str) -> None:
    with pytest.raises(InvalidArguments, match="expression"):
        select(USERS, expression)


def test_csv_has_a_header_and_reads_back() -> None:
    rows = [{"id": "a", "名前": '株式会社"ア"\n'}, {"id": "b", "extra": True}]
    assert list(csv.reader(io.StringIO(as_csv(rows), newline=""))) == [
        ["id", "名前", "extra"],
        ["a", '株式会社"ア"\n', ""],
        ["b", "", "true"],
    ]


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"], ids=range(6))
def test_a_text_that_a_spreadsheet_would_run_is_kept_from_it(text: str) -> None:
    [[cell]] = csv.reader(io.StringIO(as_csv([text]), newline=""))
    assert cell == "'" + text


def test_csv_of_something_else_than_a_list_is_refused() -> None:
    with pytest.raises(InvalidArguments, match="format"):
        as_csv({"a": 1})
