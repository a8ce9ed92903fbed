"""JMESPath on a large answer: its results, and expressions that cost too much."""

from __future__ import annotations

import csv
import io

import pytest

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.server.results.jmespath_query import format_csv, run_query

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
    assert run_query(USERS, expression) == found


@pytest.mark.slow
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
        run_query(USERS, expression)


def test_csv_has_a_header_and_reads_back() -> None:
    rows = [{"id": "a", "名前": '株式会社"ア"\n'}, {"id": "b", "extra": True}]
    assert list(csv.reader(io.StringIO(format_csv(rows), newline=""))) == [
        ["id", "名前", "extra"],
        ["a", '株式会社"ア"\n', ""],
        ["b", "", "true"],
    ]


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"], ids=range(6))
def test_a_text_that_a_spreadsheet_would_run_is_kept_from_it(text: str) -> None:
    [[cell]] = csv.reader(io.StringIO(format_csv([text]), newline=""))
    assert cell == "'" + text


def test_csv_of_something_else_than_a_list_is_refused() -> None:
    with pytest.raises(InvalidArguments, match="format"):
        format_csv({"a": 1})


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("users[:2].id | join('+', @)", "u0+u1"),
        ("merge(users[0], {extra: `1`}) | keys(@) | length(@)", 4),
        ("users[:2] == users[:2]", True),
        ("users[:2] != users[1:3]", True),
        ("contains(users[:3], users[1])", True),
        ("max_by(users[:20], &tenant).id", "u6"),
        ("map(&id, users[:2])", ["u0", "u1"]),
        ("sort_by(users[:3], &email)[-1].id", "u2"),
        ("[users[:1].id, users[1:2].id][]", ["u0", "u1"]),
        ("to_number('12') > `3`", True),
        ("reverse(users[:2].id)", ["u1", "u0"]),
        ("users[0].[to_string(@)] | length(@)", 1),
    ],
)
def test_the_functions_of_jmespath_are_unchanged(expression: str, found: object) -> None:
    assert run_query(USERS, expression) == found


def test_a_literal_of_its_own_may_be_no_deeper_than_an_answer() -> None:
    with pytest.raises(InvalidArguments, match="expression"):
        run_query({}, "`" + "[" * 200 + "]" * 200 + "`")


def test_csv_of_many_rows_with_the_same_columns_is_written() -> None:
    assert format_csv(USERS["users"]).count("\n") == 10_001
