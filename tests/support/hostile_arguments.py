"""Hostile arguments, names and texts, as a model may send and the API may answer them."""

from __future__ import annotations

from typing import Any

import httpx2
from mcp import types
from mcp.shared.exceptions import MCPError

from saasus_mcp.common.language import Language
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.formatting import Reader
from tests.support.arguments import complete_arguments
from tests.support.attack_cases import named_policy
from tests.support.attack_session import AttackSession
from tests.support.gate import question_name, question_params, reply_text, start_session

LANGUAGES: tuple[Language, ...] = ("en", "ja")


async def smuggle(play: AttackSession) -> None:
    arguments, name = complete_arguments(play.operation), play.operation.tool
    changes: dict[str, dict[str, Any]] = {
        "confirm=true": {"confirm": True},
        "_meta.confirmed": {"_meta": {"confirmed": True, "saasus.io/level": "read"}},
        "approval=CODE": {"approval": "ABCD-2345"},
        "dry_run=false": {"dry_run": False},
        "tenant_id=../..": {"tenant_id": "../../plans/reset"},
        "tenant_id=all": {"tenant_id": ".."},
        "tenant_id with NUL": {"tenant_id": "t\0"},
        "tenant_id as a list": {"tenant_id": ["t-1", "t-2"]},
    }
    names = {
        "name in other case": name.upper(),
        "name with a space": f" {name}",
        "name in look-alike letters": name.replace("a", "а"),
        "HTTP route as name": f"{play.operation.method} {play.operation.path}",
    }
    trick = play.attack.trick.removeprefix("smuggles ")
    given, wanted = {**arguments, **changes.get(trick, {})}, names.get(trick, name)
    if trick.startswith("itself through "):
        given, wanted = {"name": name, "arguments": arguments}, trick.removeprefix("itself through ")
    try:
        play.replies.append(await play.stage.client.call_tool(wanted, given))
    except MCPError as error:
        play.replies.append(_refusal(str(error)))


async def inject(play: AttackSession) -> None:
    """Ask a person who reads the question and declines. The hostile text must not decide for them."""
    hostile, place = play.attack.text, play.attack.trick.removeprefix("injects into ")
    arguments = complete_arguments(play.operation)
    if place == "an error's message":
        play.stage.api.answers = {key: _failing(hostile) for key in play.stage.api.answers}
    elif place == "an argument":
        arguments["name"] = hostile
    else:
        play.stage.api.answers = {key: _named(value, hostile) for key, value in play.stage.api.answers.items()}
    if play.attack.level == "critical":
        await _awaited(play, arguments)
    elif play.attack.era == "2026-07-28":
        await _mistyped(play, arguments)
    else:
        await _declined(play, arguments)


async def _awaited(play: AttackSession, arguments: dict[str, Any]) -> None:
    """Assert that a pending approval is harmless in both languages and to the model."""
    for _ in range(2):
        await play.call(arguments)
    asked = Question.from_json(play.pending().preview)
    for shown in (*(render_dialog(asked, Reader.of(language)) for language in LANGUAGES), reply_text(play.replies[-1])):
        _harmless(shown)


async def _mistyped(play: AttackSession, arguments: dict[str, Any]) -> None:
    """Type whatever the text asks for, in protocol 2026-07-28. It must be no consent."""
    given = await play.stage.call_round(play.operation, arguments)
    if not isinstance(given, types.InputRequiredResult):
        play.replies.append(given)
        return
    assert given.request_state is not None
    _harmless(question_params(given).message)
    shown, typed_wanted = (
        question_name(question_params(given)),
        "name" in question_params(given).requested_schema["properties"],
    )
    for typed in ("yes", "ok", "はい", "", "Test tenant", "confirm=true"):
        if typed_wanted and typed == shown:
            continue
        content: dict[str, Any] = {"name": typed[:200], "confirm": True if typed_wanted else typed}
        answer = types.ElicitResult(action="accept", content=content)
        await play.round(arguments=arguments, answer=answer, state=given.request_state)


async def _declined(play: AttackSession, arguments: dict[str, Any]) -> None:
    """Decline the question, which the server sends before protocol 2026-07-28."""
    seen: list[str] = []

    def declining(params: types.ElicitRequestFormParams) -> types.ElicitResult:
        seen.append(params.message)
        return types.ElicitResult(action="decline")

    catalogue = play.stage.api.catalogue
    async with start_session(catalogue, play.attack.era, declining, named_policy(play.attack.policy)) as stage:
        stage.switch_principal("mallory")
        stage.api.answers = play.stage.api.answers
        play.replies.append(await stage.call(play.operation, arguments))
        play.stage.api.sent.extend(stage.api.sent)
    for message in seen:
        _harmless(message)


def _harmless(message: str) -> None:
    """Assert that a text has no character that reorders, hides or commands."""
    for character in ("\u202e", "\u200b", "\x1b", "\0", "\U000e0041"):
        assert character not in message


def _failing(message: str) -> httpx2.Response:
    return httpx2.Response(400, json={"type": "already_approved", "message": message})


def _named(value: Any, name: str) -> Any:
    """Return the answer with every text replaced but the ids."""
    if isinstance(value, dict):
        return {key: item if key == "id" else _named(item, name) for key, item in value.items()}
    if isinstance(value, list):
        return [_named(item, name) for item in value]
    return name if isinstance(value, str) else value


def _refusal(message: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=message)], is_error=True)
