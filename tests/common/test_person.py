"""A person is shown by what their identity provider states, bounded and visible, and never in place of their id."""

from __future__ import annotations

from typing import Any

import pytest

from saasus_mcp.common.person import NOBODY, Person, read_person


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"name": "佐藤 花子", "email": "sato@example.jp"}, Person("佐藤 花子", "sato@example.jp")),
        ({"name": "佐藤 花子"}, Person("佐藤 花子")),
        ({}, NOBODY),
        ({"name": ["a"], "email": {"a": 1}}, NOBODY),
        ({"email": "boss@example.jp", "email_verified": False}, NOBODY),
        ({"email": "boss@example.jp", "email_verified": "true"}, Person("", "boss@example.jp")),
        ({"email": "a@b.jp\r\nBcc: x@y.jp"}, NOBODY),
        ({"email": "a" * 300 + "@b.jp"}, NOBODY),
    ],
)
def test_claims_of_another_form_are_left_out(claims: dict[str, Any], expected: Person) -> None:
    assert read_person(claims, "name", "email") == expected


def test_a_name_is_bounded_and_visible() -> None:
    shown = read_person({"name": "admin\u202e\n" + "x" * 500}, "name", "email").name
    assert len(shown) <= 81
    assert not {"\u202e", "\n"} & set(shown)


def test_other_claims_can_be_named() -> None:
    assert read_person({"display": "Sato", "mail": "s@e.jp"}, "display", "mail").label == "Sato (s@e.jp)"
