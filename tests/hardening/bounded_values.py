"""Attacks on the time and the memory of the server by one value: an expression, a table, a policy file, keys."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.hosting.auth.jwks import InvalidProviderDocument, parse_keys
from saasus_mcp.jobs.users.user_line import DisplayName, ImportTargets
from saasus_mcp.jobs.users.user_list import invalid_list, parse_users
from saasus_mcp.permissions.policy import yaml_reader
from saasus_mcp.permissions.policy.errors import PolicyError
from saasus_mcp.server.results import jmespath_query
from saasus_mcp.server.results.jmespath_query import format_csv, run_query
from saasus_mcp.server.results.truncation import truncate
from tests.support.attack_corpus import AttackContext, attack
from tests.support.event_loop import measure_delays, time_unit

AREA = "Bounded work"
DOUBLED = "|".join(["[@,@]"] * 70)
"""A list that holds the same list twice, seventy times over: short in memory, endless to walk."""
THERE = ImportTargets({f"t{n}": f"T{n}" for n in range(2_000)}, {3: DisplayName("prod")}, {"viewer": ""}, {})


def assert_expression_refused(expression: str, *said: str, value: Any = None) -> None:
    with pytest.raises(InvalidArguments) as refused:
        run_query({"a": "x"} if value is None else value, expression)
    assert all(part in str(refused.value) for part in said)
    assert len(str(refused.value)) < 600


@attack(AREA, "A JMESPath expression that joins a text of 170 KB to itself again and again")
async def joined(_: AttackContext) -> str:
    value = {"a": "x" * 170_000}
    tracemalloc.start()
    assert_expression_refused(
        "[a,a,a]" + "|[join(@[0],@),join(@[0],@),join(@[0],@)]" * 3, "its result is too large", value=value
    )
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * len(value["a"])
    return "refused before the text is made"


@attack(
    AREA, "JMESPath expressions that flatten, write out or compare a list which holds itself twice, seventy times over"
)
async def doubled(ground: AttackContext) -> str:
    ground.monkeypatch.setattr(jmespath_query, "MAX_WORK", 20_000)
    for expression in (
        DOUBLED,
        f"to_string({DOUBLED})",
        f"({DOUBLED})==({DOUBLED})",
        f"contains([{DOUBLED}],{DOUBLED})",
    ):
        assert_expression_refused(expression, "its result is too large")
    flat = "[" + ",".join(["a"] * 190) + "][]"
    assert_expression_refused(flat, "its result is too large", value={"a": [0] * 50_000})
    return "refused before it is walked"


@attack(AREA, "A JMESPath function given such a list in place of a number, so that the error repeats it")
async def repeated_by_the_error(_: AttackContext) -> str:
    assert_expression_refused(f"abs({DOUBLED})", "abs() takes number, not array")
    return "refused; the error names the type alone"


@attack(AREA, "JMESPath expressions with infinite numbers, half characters, steps of nothing and 500 parentheses")
async def odd_expressions(_: AttackContext) -> str:
    odd = (
        "floor(to_number('inf'))",
        "ceil(to_number('nan'))",
        "`1e999`",
        "`NaN`",
        '"\\ud800"',
        '`"\\ud800"`',
        "sum([`1e308`,`1e308`])",
        "a[::0]|[0]",
        "&a",
        "to_string(&a)",
        "(" * 500,
        "`" + "[" * 400 + "]" * 400 + "`",
        "to_number(a)",
    )
    for expression in odd:
        assert_expression_refused(
            expression, "expression: ", value={"a": ["x"]} if "::" in expression else {"a": "9" * 9_000}
        )
    assert run_query({"a": [1]}, "a[" + "9" * 500 + "]") is None
    return "refused as an argument; none fails inside the server"


@attack(AREA, "A CSV of 5,000 objects, each with a field of its own")
async def square_csv(_: AttackContext) -> str:
    with pytest.raises(InvalidArguments, match=r"5,000 rows of 5,000 columns"):
        format_csv([{f"k{n}": n} for n in range(5_000)])
    return "refused before it is written; the error says what to pick"


@attack(AREA, "An answer whose longest text lies 95 lists deep")
async def deep_answer(_: AttackContext) -> str:
    value: Any = "x" * 3_000_000
    limit = 20 * time_unit()
    for _level in range(95):
        value = [value]
    async with measure_delays() as seen:
        shown, _cuts = truncate(value, 24 * 1024)
    assert seen.cpu < limit
    assert len(json.dumps(shown)) <= 24 * 1024
    return "cut to the budget; it is not measured again at each level"


def assert_valid_text(given: str) -> None:
    """Read a list as an import does that skips no line."""
    _, mistakes, _ = parse_users(given, THERE, "csv")
    if mistakes:
        raise invalid_list(mistakes, "csv")


@attack(AREA, "A CSV cell of 32 KB that is almost an address")
async def almost_an_address(_: AttackContext) -> str:
    given = "email,tenant_name\n" + "a@" + "a." * 16_000 + "@,T1\n"
    with pytest.raises(InvalidArguments, match="line 2, email"):
        assert_valid_text(given)
    short = "email,tenant_name\n" + "a@" + "a." * 120 + "@,T1\n"
    with pytest.raises(InvalidArguments, match="is not a valid e-mail address"):
        assert_valid_text(short)
    return "refused; the error names line and column"


@attack(AREA, "CSVs of a million cells in one line, of a quotation that never ends, and of 5,001 lines")
async def wide_csv(_: AttackContext) -> str:
    head = "email,tenant_name\n"
    for given, said in (
        (head + "x," * 990_000, "more cells than there are columns"),
        ("x," * 990_000, "500 columns"),
        (head + '"' + "x" * 1_900_000, "a cell has more than 131,072"),
        (head + "".join(f"u{n}@example.com,T1999\n" for n in range(5_001)), "more than 5,000 lines"),
    ):
        with pytest.raises(InvalidArguments, match=said):
            assert_valid_text(given)
    return "each is refused; the error says which limit"


@attack(AREA, "Policy files with a bomb of aliases, 200 levels, or a number of 60,000 places to the base of 60")
async def policy_files(ground: AttackContext) -> str:
    bomb = "a: &a [x,x]\n" + "".join(f"b{n}: &b{n} [*a,*a]\n" for n in range(50))
    for text in (bomb, "a: " + "[" * 200 + "]" * 200, "a: 1" + ":1" * 60_000):
        file = ground.folder / "policy.yaml"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(PolicyError):
            yaml_reader.read_document(file)
    return "each is refused; the error names the line"


@attack(AREA, "Keys of an identity provider nested 100,000 levels deep")
async def nested_keys(_: AttackContext) -> str:
    with pytest.raises(InvalidProviderDocument):
        parse_keys(b'{"keys":' + b"[" * 100_000 + b"]" * 100_000 + b"}", ["RS256"])
    return "not taken; the keys known before stay in use"
