"""What an expression starts from, as a hint says after a wrong one."""

from __future__ import annotations

from typing import Any

import pytest

from saasus_mcp.server.results.select_tool import describe_root


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"rows": [1, 2], "job": "x", "counts": {}}, "rows (list of 2), job (text), counts (object)"),
        ({"done": True, "total": 3, "left": None}, "done (boolean), total (number), left (null)"),
        ([{"id": 1, "name": "x"}], "a list of 1 objects with id, name"),
        ([1, 2], "a list of 2"),
        ([], "a list of 0"),
        ("a,b\n1,2", "a text: the expression @ returns it whole"),
    ],
)
def test_the_root_of_a_stored_value_is_described(value: Any, said: str) -> None:
    assert said in describe_root(value)


def test_the_description_of_a_root_is_bounded() -> None:
    assert len(describe_root({f"field-{number}": number for number in range(10_000)})) < 1_000
