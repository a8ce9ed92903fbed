"""`saasus-mcp serve` on pipes: its start, the early responses while the SDK loads, and its end."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters, types
from mcp.client.context import ClientRequestContext

from tests.support.commands import spawn_command
from tests.support.pipeline import ERAS, Era, accept_question
from tests.support.processes import TIMEOUT, run_module
from tests.support.stdio_server import (
    INITIALIZE,
    OPENING,
    build_request,
    converse,
    encode_lines,
    read_answers,
    send_messages,
    start_stdio_server,
)
from tests.support.variants import sample_cases

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there nothing is answered before the SDK is loaded")


def test_a_message_during_the_load_of_the_sdk_is_answered_after_it() -> None:
    with start_stdio_server() as process:
        send_messages(
            process,
            *OPENING,
            build_request(2, "tools/list"),
            build_request(3, "prompts/list"),
            b"nonsense\n",
            build_request(4, "ping"),
        )
        send_messages(
            process, build_request(5, "tools/call", name="auth_get_roles", arguments={}), build_request(6, "tools/list")
        )
        found = read_answers(process, 1, 2, 3, 4, 5, 6)
    assert found[1]["result"]["protocolVersion"] == "2025-11-25"
    assert found[6]["result"] == found[2]["result"], "the SDK lists what was listed before it"
    assert found[3]["result"]["prompts"]
    assert found[4]["result"] == {}
    assert not found[5]["result"]["isError"]
    assert "roles" in found[5]["result"]["structuredContent"]


def test_a_call_that_is_cancelled_while_the_sdk_loads_leaves_the_rest_alone() -> None:
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 3}}
    with start_stdio_server() as process:
        send_messages(process, *OPENING, build_request(2, "tools/list"))
        read_answers(process, 1, 2)
        send_messages(process, build_request(3, "tools/call", name="auth_get_saas_users", arguments={}), cancel)
        send_messages(process, build_request(4, "tools/call", name="auth_get_roles", arguments={}))
        assert process.stdout is not None
        while (message := json.loads(process.stdout.readline()))["id"] != 4:
            assert message["id"] == 3
    assert not message["result"]["isError"]


@pytest.mark.parametrize(
    "first", sample_cases([b"nonsense\n", b"\n", encode_lines(build_request(1, "ping")), b"\xff\xfe{}\n"], 2)
)
def test_a_conversation_that_begins_otherwise_is_the_sdks_alone(first: bytes) -> None:
    with start_stdio_server() as process:
        send_messages(
            process, first, build_request(7, "initialize", **INITIALIZE), OPENING[1], build_request(8, "tools/list")
        )
        assert process.stdout is not None
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1].get("id") != 8:
            seen.append(json.loads(process.stdout.readline()))
    assert [each["id"] for each in seen if each.get("id") in (7, 8)] == [7, 8]
    assert seen[-1]["result"]["tools"]


FAULTS = (
    rb'{"jsonrpc":"2.0","id":11,"method":"initialize","params":{"clientInfo":{"name":"\ud83d"}}}',
    b'{"jsonrpc":"2.0","id":12,"method":"tools/list","params":{"a":1,"a":2}}',
    b'{"jsonrpc":"2.0","id":13,"method":"ping","params":{"a":NaN}}',
    b'{"jsonrpc":"2.0","id":14,"method":"ping","params":' + b"[" * 2000 + b"]" * 2000 + b"}",
    b'{"jsonrpc":"2.0","id":15,"method":"ping","params":"x"}',
    b'[{"jsonrpc":"2.0","id":16,"method":"ping"},{"jsonrpc":"2.0","id":17,"method":"ping"}]',
    b'{"jsonrpc":"2.0","id":18,"method":"ping"',
)
IDS_OF_FAULTS = range(11, 19)


@pytest.mark.parametrize("place", sample_cases([0, 1, 3, 2], 2))
def test_a_fault_is_answered_alike_before_and_after_the_sdk_is_loaded(place: int) -> None:
    begun: list[dict[str, Any] | bytes] = [*OPENING, build_request(2, "tools/list"), build_request(3, "prompts/list")]
    begun[place:place] = [each + b"\n" for each in FAULTS]
    with start_stdio_server() as process:
        send_messages(process, *begun)
        found = read_answers(process, 1, 2, 3, *IDS_OF_FAULTS)
    assert [found[each]["error"]["code"] for each in IDS_OF_FAULTS] == [
        -32602, -32600, -32700, -32600, -32602, -32600, -32600, -32700
    ]  # fmt: skip
    assert found[2]["result"]["tools"]


def test_a_byte_order_mark_before_the_first_message_is_no_part_of_it() -> None:
    said, err, _ = converse(b"\xef\xbb\xbf" + encode_lines(OPENING[0]), OPENING[1])
    assert ([each["id"] for each in said], err) == ([1], "")


def test_the_report_of_noise_is_bounded() -> None:
    said, err, status = converse(b"sesame\n" * 10_000, *OPENING, build_request(2, "tools/list"))
    assert [each["id"] for each in said] == [1, 2]
    assert err.count("\n") == 5 + 4, "the first five, and the tenth, hundredth, thousandth and ten thousandth"
    assert "sesame" not in err
    assert status == 0


def test_a_client_that_writes_all_before_it_reads_is_not_waited_for() -> None:
    pings = [build_request(number, "ping") for number in range(10, 2000)]
    with start_stdio_server() as process:
        writing = threading.Thread(
            target=send_messages, args=(process, *OPENING, build_request(2, "tools/list"), *pings), daemon=True
        )
        writing.start()
        writing.join(TIMEOUT)
        assert not writing.is_alive(), "both wait for the other to read"
        found = read_answers(process, 1, 2, *range(10, 2000))
    assert len(found[2]["result"]["tools"]) > 195


@pytest.mark.parametrize("sent", [(), OPENING[:1], OPENING])
def test_a_client_that_leaves_before_it_lists_tools_ends_the_server(sent: tuple[dict[str, Any], ...]) -> None:
    said, err, status = converse(*sent)
    assert [each["id"] for each in said] == [1] * bool(sent)
    assert (err, status) == ("", 0)


def test_a_client_that_leaves_while_the_sdk_loads_ends_the_server() -> None:
    said, err, status = converse(*OPENING, build_request(2, "tools/list"))
    assert [each["id"] for each in said] == [1, 2], "the answer that tells the SDK of the handshake is not sent"
    assert (err, status) == ("", 0)


def test_a_line_without_an_end_is_the_last_line() -> None:
    said, _, status = converse(*OPENING, encode_lines(build_request(2, "tools/list"))[:-1])
    assert [each["id"] for each in said] == [1, 2]
    assert status == 0


def test_a_client_that_no_longer_reads_is_left_in_peace() -> None:
    with start_stdio_server() as process:
        send_messages(process, *OPENING)
        read_answers(process, 1)
        assert process.stdout is not None
        process.stdout.close()
        send_messages(process, build_request(2, "tools/list"))
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(TIMEOUT) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    "broken",
    [
        {"SAASUS_MCP_MODE": "guardedd"},
        {"SAASUS_MCP_SANDBOX": "", "SAASUS_SAAS_ID": "only-this"},
        {"SAASUS_MCP_PROFILE": "production"},
        {"SAASUS_MCP_STATE_DIR": "/dev/null/nowhere"},
    ],
)
def test_a_wrong_setting_stops_the_server_before_it_answers(broken: dict[str, str]) -> None:
    env = {**os.environ, "SAASUS_MCP_SANDBOX": "1", **broken}
    ran = run_module("saasus_mcp", input=encode_lines(*OPENING), env=env)
    assert ran.stdout == b""
    assert ran.returncode != 0
    assert ran.stderr


def test_a_broken_key_or_policy_stops_it_before_it_answers(state: Path, tmp_path: Path) -> None:
    state.mkdir()
    (state / "sealing.key").write_bytes(b"short")
    assert (spawn_command("--sandbox").status, spawn_command("--sandbox").out) == (1, "")
    (state / "sealing.key").unlink()
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nrules: nonsense\n", encoding="utf-8")
    ran = run_module("saasus_mcp", "--sandbox", "--policy", str(policy), input=encode_lines(*OPENING))
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert b"policy.yaml" in ran.stderr


def test_a_policy_file_that_holds_decides_what_is_listed(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nrules:\n  - {name: roles, tools: [auth_get_roles], then: allow}\n", encoding="utf-8")
    with start_stdio_server("--policy", str(policy)) as process:
        send_messages(process, *OPENING, build_request(2, "tools/list"))
        tools = read_answers(process, 1, 2)[2]["result"]["tools"]
    assert [tool["name"] for tool in tools if tool["name"].startswith("auth_")] == ["auth_get_roles"]


@pytest.mark.usefixtures("forked_servers")
@pytest.mark.parametrize("era", ERAS)
async def test_the_capabilities_of_the_client_reach_the_server(era: Era) -> None:
    asked: list[str] = []

    async def elicited(
        context: ClientRequestContext,  # noqa: ARG001 - the SDK passes it by name
        params: types.ElicitRequestParams,
    ) -> types.ElicitResult | types.ErrorData:
        assert isinstance(params, types.ElicitRequestFormParams)
        asked.append(params.message)
        return accept_question(params)

    server = StdioServerParameters(command=sys.executable, args=["-m", "saasus_mcp", "--sandbox"], env={**os.environ})
    async with Client(server, mode=era, elicitation_callback=elicited, read_timeout_seconds=TIMEOUT) as client:
        assert (await client.list_tools()).tools
        gone = await client.call_tool("integration_delete_event_bridge_settings", {})
    assert asked, "the person was asked through the client"
    assert not gone.is_error, gone
