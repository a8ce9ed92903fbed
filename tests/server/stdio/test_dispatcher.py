"""The dispatcher on pipes does what the SDK's own loop does: in both eras, with cancellations, questions and the end of input."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ElicitRequestedSchema,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    jsonrpc_message_adapter,
)

from saasus_mcp.server.elicitation import Context
from saasus_mcp.server.stdio import dispatcher
from saasus_mcp.server.stdio.dispatcher import StdioDispatcher
from saasus_mcp.server.stdio.pipe_transport import PipeTransport
from saasus_mcp.server.stdio.protocol_eras import serve
from tests.support.stdio_client import initialize, line, request

ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
FORM: ElicitRequestedSchema = {"type": "object", "properties": {}}
SECRET = "sesame"
Message = dict[str, Any]


def tool_server(events: list[str]) -> Server[Any]:
    """Return a server whose tools ask, wait, report or fail. It notes what becomes of those that wait."""

    async def list_tools(_: Context, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[Tool(name="any", input_schema={"type": "object"})])

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult:
        said = params.name
        try:
            if params.name == "ask":
                said = (await context.session.elicit_form("Go on?", FORM, related_request_id=1)).action
            elif params.name == "report":
                await context.session.report_progress(1, 2, "half")
            elif params.name == "wait":
                await anyio.sleep_forever()
            elif params.name == "fail":
                raise RuntimeError(SECRET)
        except anyio.get_cancelled_exc_class():
            events.append(f"{context.request_id} cancelled")
            raise
        return CallToolResult(content=[TextContent(text=said)])

    return Server[Any]("test", version="1", on_list_tools=list_tools, on_call_tool=call_tool)


def call(id: Any, name: str, **meta: Any) -> Message:
    return request(id, "tools/call", name=name, arguments={}, _meta=meta)


def modern(id: Any, method: str = "tools/call", **of: Any) -> Message:
    return request(id, method, _meta={**ENVELOPE, **of.pop("meta", {})}, **of)


def answer(id: Any, **members: Any) -> Message:
    return {"jsonrpc": "2.0", "id": id, **members}


def cancel(id: Any) -> Message:
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}


HANDSHAKE = [json.loads(each) for each in initialize().splitlines()]
PING = request("last", "ping")
CONVERSATIONS: dict[str, list[Message]] = {
    "a call": [*HANDSHAKE, call(1, "any"), PING],
    "progress": [*HANDSHAKE, call(1, "report", progressToken="t"), call(2, "report"), PING],
    "a question": [*HANDSHAKE, call(1, "ask"), answer(1, result={"action": "decline"}), PING],
    "a question that the client refuses": [
        *HANDSHAKE,
        call(1, "ask"),
        answer("1", error={"code": -1, "message": "no", "data": 7}),
        PING,
    ],
    "a question whose call is cancelled": [*HANDSHAKE, call(7, "ask"), cancel(7), PING],
    "a cancelled call": [*HANDSHAKE, call("7", "wait"), cancel(8), cancel(7), call("7", "any"), PING],
    "a cancellation of nothing": [*HANDSHAKE, cancel(None), cancel([1]), call("None", "any"), PING],
    "two calls of one id": [*HANDSHAKE, call(1, "any"), call(1, "any"), PING],
    "before the handshake": [call(1, "any"), PING, *HANDSHAKE, call(2, "any")],
    "no request of the handshake": [HANDSHAKE[1], call(1, "any"), PING],
    "an unknown method": [*HANDSHAKE, request(1, "tools/other"), request(2, "resources/list"), PING],
    "params that do not fit": [*HANDSHAKE, request(1, "tools/call", name=7), request(2, "tools/call"), PING],
    "a second handshake": [*HANDSHAKE, *HANDSHAKE, call(1, "any")],
    "a request of the newer era": [*HANDSHAKE, modern(1, name="any"), call(2, "any")],
    "the newer era": [modern(1, "server/discover"), modern(2, name="any"), modern(3, "tools/list")],
    "a notification before the newer era": [HANDSHAKE[1], modern(1, name="any"), HANDSHAKE[1], modern(2, name="any")],
    "progress in the newer era": [modern(1, name="report", meta={"progressToken": "t"}), modern(2, name="any")],
    "a question in the newer era": [modern(1, name="ask"), modern(2, name="any")],
    "a handshake in the newer era": [modern(1, name="any"), *HANDSHAKE, request(2, "initialize"), modern(3, name="any")],
    "no envelope in the newer era": [modern(1, name="any"), call(2, "any"), PING, modern(3, name="any")],
    "an envelope without capabilities": [
        modern(1, name="any"),
        request(2, "tools/call", name="any", _meta={"io.modelcontextprotocol/protocolVersion": "2026-07-28"}),
        request(3, "tools/call", name="any", _meta={**ENVELOPE, "io.modelcontextprotocol/protocolVersion": "2030-01-01"}),
        modern(4, name="any"),
    ],
    "a cancelled call of the newer era": [modern(1, name="wait"), cancel(1), modern(2, name="any")],
}  # fmt: skip


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_a_conversation_is_the_same_as_with_the_loop_of_the_sdk(name: str) -> None:
    ours, theirs = list[str](), list[str]()
    with anyio.fail_after(30):
        told = await on_pipes(tool_server(ours), CONVERSATIONS[name])
        assert told == await on_streams(tool_server(theirs), CONVERSATIONS[name])
    assert ours == theirs


@pytest.mark.parametrize("sent", [[*HANDSHAKE, call(1, "fail")], [modern(1, name="fail")]])
async def test_the_text_of_an_exception_stays_here(sent: list[Message], caplog: pytest.LogCaptureFixture) -> None:
    told = await on_pipes(tool_server([]), sent)
    assert told[-1]["error"] == {"code": -32603, "message": "Internal server error; see the server log."}
    assert SECRET in caplog.text


async def test_a_handshake_is_done_before_what_is_sent_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "MESSAGES_A_TURN", 100)
    told = await on_pipes(tool_server([]), [[*HANDSHAKE, call(1, "any"), call(2, "any")]])
    assert [each["id"] for each in told] == ["initialize", 1, 2]
    assert all("result" in each for each in told)


async def test_at_the_end_of_input_calls_are_cancelled_and_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "FINAL_ANSWER_SECONDS", 0.01)
    events = list[str]()
    told = await on_pipes(tool_server(events), [*HANDSHAKE, call(1, "wait"), call(2, "ask"), call(3, "any")])
    closed = {"code": -32000, "message": "Connection closed"}
    assert {each["id"]: each["error"] for each in told if "error" in each} == {1: closed, 2: closed}
    assert events == ["1 cancelled"]


async def settle() -> None:
    """Let the server do all that it can do without another message. Nothing here waits for time or a thread."""
    for _ in range(50):
        await anyio.lowlevel.checkpoint()


async def on_pipes(server: Server[Any], sent: Sequence[Message | list[Message]]) -> list[Message]:
    """Return what a client on pipes gets of this server, which handles each message before the next is sent."""
    (reading, theirs), (mine, writing) = os.pipe(), os.pipe()
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve, server, StdioDispatcher(PipeTransport(reading, writing)))
            for each in sent:
                together = each if isinstance(each, list) else [each]
                os.write(theirs, b"".join(map(line, together)))
                await settle()
            os.close(theirs)
        os.close(writing)
        with os.fdopen(mine, "rb") as answers:
            return [json.loads(each) for each in answers]
    finally:
        os.close(reading)


async def on_streams(server: Server[Any], sent: list[Message]) -> list[Message]:
    """Return what a client gets of the SDK's loop."""
    to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](8)
    outgoing, from_server = anyio.create_memory_object_stream[SessionMessage](100)
    with to_server, from_server:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.run, incoming, outgoing, server.create_initialization_options())
            for each in sent:
                await to_server.send(SessionMessage(jsonrpc_message_adapter.validate_python(each)))
                await settle()
            to_server.close()
        return [each.message.model_dump(mode="json", by_alias=True, exclude_unset=True) async for each in from_server]
