"""The exact request below a question in a terminal: each name with its value, in lines that a person can read."""

from __future__ import annotations

import pytest

from saasus_mcp.cli.question_view import render_question
from saasus_mcp.common.language import Text
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.question.content import Detail, Question
from saasus_mcp.permissions.question.formatting import Reader

PLACE = Destination("sandbox", "sandbox", sandbox=True)
PEOPLE = [f"person{number}@example.com" for number in range(8)]


@pytest.mark.parametrize("name", ["role", "role / environment / tenant bc725811-66d9-5ed0-b358", "r" * 100])
def test_a_value_gets_room_however_long_its_name_is(name: str) -> None:
    details = (Detail(name, ", ".join(PEOPLE)), Detail("method", "POST"))
    question = Question("tool", Text("Do it", "実行"), "it", PLACE, "token:hanako", details=details)
    lines = list(render_question(question, Reader.of("en", None), 80, details=True))
    assert lines[-1] == "  method: POST"
    assert all(len(line) <= 80 for line in lines)
    holding = [line for line in lines if "@example.com" in line]
    assert sum(line.count("@example.com") for line in holding) == len(PEOPLE)
    assert len(holding) <= len(PEOPLE) / 2


@pytest.mark.parametrize(("people", "times"), [(8, 1), (200, 2)])
def test_a_question_longer_than_a_screen_ends_with_what_it_is_about(people: int, times: int) -> None:
    details = tuple(Detail(f"person{number}", f"person{number}@example.com") for number in range(people))
    question = Question("tool", Text("Register them", "登録"), "them", PLACE, "token:hanako", details=details)
    lines = list(render_question(question, Reader.of("en", None), 80, details=True))
    assert sum("Register them" in line for line in lines) == times
    assert times == 1 or any("Register them" in line for line in lines[-5:])
