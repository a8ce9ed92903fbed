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
