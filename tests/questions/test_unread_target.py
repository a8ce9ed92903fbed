"""Where the target could not be read, a question shows every id that says what the call is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from saasus_mcp.catalog import Operation, load_catalogue
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.inspection.impact import assess_impact
from saasus_mcp.permissions.inspection.inspect import CallInspector
from saasus_mcp.permissions.inspection.target import ReadFailure, ReadResult
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.permissions.question.builder import build_question
from saasus_mcp.permissions.question.content import Question, UnreadableValue
from saasus_mcp.permissions.question.dialog import render_dialog, render_line
from saasus_mcp.permissions.question.facts import QuestionInput
from saasus_mcp.permissions.question.formatting import Reader, format_both
from saasus_mcp.permissions.question.layout import all_lines, hidden_labels
from tests.support.arguments import complete_arguments
from tests.support.pipeline import PLACE


def ids(operation: Operation) -> list[str]:
    """Return the arguments that say which target is meant."""
    target = operation.effects.target
    named = dict.fromkeys((*operation.path_parameters, *(target.identifying if target is not None else ())))
    return [
        name
        for name in named
        if operation.input_schema["properties"][name].get("type") == "string" and name not in operation.secret_inputs
    ]


UNREAD_WARNINGS = [
    (
        "auth.UpdateCustomizePages",
        {"sign_in_page": {"html_contents": "<script src=x></script>"}},
        "Scripts in the HTML",
    ),
    ("auth.UpdateSignInSettings", {"self_regist": {"enable": True}}, "Anyone can then register"),
    (
        "auth.UpdateTenant",
        {"tenant_id": "t", "name": "n", "attributes": {}, "back_office_staff_email": "x@example.jp"},
        "Invoices are then mailed to",
    ),
]
CASES = [
    pytest.param(operation, name, id=f"{operation.tool}-{name}")
    for operation in load_catalogue()
    if not operation.reads and operation.effects.target is not None and operation.effects.target.read is not None
    for name in ids(operation)
]


async def unread(_key: str, _args: Mapping[str, Any]) -> ReadResult:
    return ReadResult(read_error="not_allowed")


@pytest.mark.parametrize("why", [*ReadFailure, message("server.stopped").both()])
def test_why_a_value_is_unread_is_said_in_the_readers_language(why: str | Text) -> None:
    shown = format_both(UnreadableValue(why))
    assert str(why) not in shown.ja
    assert not re.search("[a-z]{3}", shown.ja), shown.ja


async def test_the_error_of_a_read_is_in_both_languages() -> None:
    error = message("server.stopped")

    async def fail(_key: str, _args: Mapping[str, Any]) -> ReadResult:
        raise SaasusMcpError(error)

    operation = load_catalogue().find("auth_delete_tenant")
    impact = await assess_impact(OperationCall(operation, {"tenant_id": "t-1"}), {"plan_id": "p-1"}, fail)
    failed = [each.read_error for each in impact.findings if each.read_error]
    assert failed
    assert set(failed) == {error.both()}


async def ask(operation: Operation, arguments: Mapping[str, Any]) -> Question:
    inspection = await CallInspector(OperationCall(operation, arguments), PLACE.saas_id, unread).inspect()
    return await build_question(QuestionInput(operation, arguments, PLACE, "me", inspection, 0), unread)


@pytest.mark.parametrize(("operation", "name"), CASES)
def test_a_question_about_an_unread_target_shows_its_ids(operation: Operation, name: str) -> None:
    arguments = {**complete_arguments(operation), name: "another-target"}
    question = anyio.run(ask, operation, arguments)
    for reader in (Reader.of("en"), Reader.of("ja")):
        page = "\n".join(render_line(line, question, reader) for line in all_lines(question))
        assert "another-target" in page
        assert "another-target" in render_dialog(question, reader) or hidden_labels(question), (
            "an approval, which has the page"
        )


@pytest.mark.parametrize(("key", "arguments", "warning"), UNREAD_WARNINGS)
async def test_a_change_that_cannot_be_compared_is_warned_of(key: str, arguments: dict[str, Any], warning: str) -> None:
    question = await ask(load_catalogue().find(key), arguments)
    assert f"⚠ {warning}" in render_dialog(question, Reader.of("en"))
