"""A short read of a session is answered as the SDK's own transport answers it, but as plain JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.hosting.sessions.session_reads import ReadRecognizer
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.permissions.policy.presets import PRESETS
from tests.support.handshake_client import ELICITATION, handshake_client
from tests.support.hosting_server import build_server
from tests.support.policies import build_policy, build_rule

CALL: dict[str, Any] = {"name": "auth_get_tenant", "arguments": {"tenant_id": "t-1"}}
CALLS: dict[str, dict[str, Any]] = {
    "usual": {"id": 7, "params": CALL},
    "a text as id": {"id": "é", "params": CALL},
    "a long number as id": {"id": 10**40, "params": CALL},
    "another field": {"id": 7, "params": CALL, "other": 1},
    "no arguments": {"id": 7, "params": {"name": "auth_get_tenant"}},
    "a wrong argument": {"id": 7, "params": {**CALL, "arguments": {"tenant": "t-1"}}},
    "arguments as a list": {"id": 7, "params": {**CALL, "arguments": [1]}},
    "a meta": {"id": 7, "params": {**CALL, "_meta": {"saasus.io/reason": 1}}},
    "a meta as a list": {"id": 7, "params": {**CALL, "_meta": [1]}},
}
ASKING = build_policy(build_rule(then="confirm"))


async def ask(catalogue: Catalogue, message: dict[str, Any], policy: Policy, **capabilities: Any) -> tuple[str, Any]:
    """Return the type of the response, and the answer without what differs between two calls."""
    server = build_server(catalogue, policy=policy)
    async with server.serve() as url, handshake_client("alice-token") as client:
        await client.initialize(url, **capabilities)
        given = await client.send(url, {"method": "tools/call", **message})
    assert given.status_code == 200
    assert given.headers["Mcp-Session-Id"] == client.session
    text = given.text if given.text.startswith("{") else given.text.rpartition("data:")[2]
    answer = json.loads(text)
    trace = answer.get("result", {}).get("_meta", {}).get("saasus.io/trace_id") or "no trace"
    return given.headers["Content-Type"].partition(";")[0], json.loads(text.replace(trace, ""))


@pytest.mark.parametrize("message", CALLS.values(), ids=CALLS)
async def test_the_answer_is_that_of_the_sdk(
    catalogue: Catalogue, message: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = await ask(catalogue, message, PRESETS["guarded"], **ELICITATION)
    monkeypatch.setattr(ReadRecognizer, "is_short", lambda *_: False)
    assert ("application/json", (await ask(catalogue, message, PRESETS["guarded"], **ELICITATION))[1]) == ours


@pytest.mark.parametrize(
    ("message", "policy", "capabilities"),
    [
        ({"id": 7, "params": {**CALL, "_meta": {"progressToken": 1}}}, PRESETS["guarded"], {}),
        ({"id": 7, "params": {"name": "auth_create_role", "arguments": {}}}, PRESETS["guarded"], {}),
        ({"id": 7, "params": CALL}, build_policy(build_rule()), ELICITATION),
    ],
    ids=["a read with progress", "a write", "a read about which a policy file could ask"],
)
async def test_a_call_that_may_send_more_than_its_answer_gets_a_stream(
    catalogue: Catalogue, message: dict[str, Any], policy: Policy, capabilities: dict[str, Any]
) -> None:
    kind, _ = await ask(catalogue, message, policy, **capabilities)
    assert kind == "text/event-stream"


async def test_a_read_that_a_person_must_confirm_is_asked_about(catalogue: Catalogue) -> None:
    server = build_server(catalogue, policy=ASKING)
    async with server.serve() as url, handshake_client("alice-token") as client:
        await client.initialize(url, **ELICITATION)
        async with client.call(url, CALL["name"], CALL["arguments"]) as call:
            assert (await call.question())["method"] == "elicitation/create"
    assert server.apis["default"].writes == []
