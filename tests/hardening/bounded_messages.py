"""Attacks on the time and the memory of the server by one message, over HTTP and on standard input."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import httpx2
import pytest

from saasus_mcp.common.json_bounds import find_excess
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.saasus import arguments
from saasus_mcp.saasus.tool_answer import build_answer as shape
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.scheduling import worker_threads
from saasus_mcp.server.stdio.dispatcher import StdioDispatcher
from saasus_mcp.server.stdio.line_splitter import MAX_LINE_BYTES
from saasus_mcp.server.stdio.pipe_transport import PipeTransport
from saasus_mcp.server.surface.tool_surface import ToolSurface
from tests.support.attack_corpus import AttackContext, attack
from tests.support.event_loop import measure_delays, time_unit
from tests.support.hosting_server import build_server
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline
from tests.support.saas_store import open_saas_store
from tests.support.timing import cpu_seconds

AREA = "Bounded work"
LONG = 10.0
"""Units of tests.support.event_loop for which the event loop may stand still at most."""
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
}
ROLES = {"tenant_id": "t-1", "user_id": "u-1", "env_id": 3}


def message(name: str, args: str) -> bytes:
    """Return a call with its arguments as given."""
    params = f'{{"_meta":{json.dumps(ENVELOPE)},"name":{json.dumps(name)},"arguments":{args}}}'
    return f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}'.encode()


@asynccontextmanager
async def open_http_client(ground: AttackContext) -> AsyncIterator[Callable[..., Any]]:
    """Return a function that sends a call to a hosted server. The event loop must not be blocked meanwhile."""
    headers = {"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call"}
    async with build_server(ground.catalogue).client(**headers) as client:

        async def post(name: str, content: bytes) -> httpx2.Response:
            return await client.post("/mcp", content=content, headers={"Mcp-Name": name})

        await post("auth_get_roles", message("auth_get_roles", "{}"))
        unit = time_unit()
        async with measure_delays() as seen:
            yield post
        assert seen.cpu < LONG * max(unit, time_unit())  # the machine may have become slower meanwhile


async def assert_refused_over_http(ground: AttackContext, args: str, *said: str, status: int = 200) -> None:
    """Assert that a hosted server refuses a call with these words."""
    name = "auth_create_tenant_user_roles"
    async with open_http_client(ground) as post:
        answer = await post(name, message(name, args))
    assert answer.status_code == status
    assert all(part in answer.text for part in said)


def roles_argument(items: str) -> str:
    return json.dumps(ROLES)[:-1] + f', "role_names": {items}}}'


@attack(AREA, "An object nested 200 levels deep as an argument")
async def nested(ground: AttackContext) -> str:
    value: object = "end"
    for _ in range(200):
        value = {"a": value}
    with pytest.raises(InvalidArguments, match="nested too deeply"):
        arguments.check_arguments(ground.catalogue.find("auth.CreateTenant"), {"name": "x", "attributes": value})
    return "refused; the error names the field"


@attack(AREA, "A list of 10,000 values, each of the wrong type")
async def wrong_items(ground: AttackContext) -> str:
    await assert_refused_over_http(
        ground, roles_argument(json.dumps([True] * 10_000)), "role_names[0]: expected string"
    )
    operation = ground.catalogue.find("auth.CreateTenantUserRoles")

    def refused() -> None:
        with pytest.raises(InvalidArguments):
            arguments.check_arguments(operation, {**ROLES, "role_names": [True] * 10_000})

    assert cpu_seconds(refused, runs=1) < cpu_seconds(
        lambda: arguments.check_arguments(operation, {**ROLES, "role_names": ["a"] * 10_000})
    )
    return "refused at the first value; no other error is made"


@attack(AREA, "A list of 200,000 values, which no tool takes")
async def too_many_items(ground: AttackContext) -> str:
    await assert_refused_over_http(
        ground, roles_argument(json.dumps([1] * 200_000)), "more than 60,000 values", status=413
    )
    return "refused before it is parsed, with the limit"


@attack(AREA, "4 MB of empty lists, which take the SDK seconds to parse")
async def empty_lists(ground: AttackContext) -> str:
    await assert_refused_over_http(
        ground, roles_argument("[" + "[]," * 1_300_000 + "[]]"), "20,000 lists and objects", status=413
    )
    return "refused before it is parsed, with the limit"


@attack(AREA, "2 MB of opening brackets")
async def opening_brackets(ground: AttackContext) -> str:
    await assert_refused_over_http(ground, roles_argument("[" * 2_000_000), "lists and objects", status=413)
    return "refused before it is parsed, with the limit"


@attack(AREA, "A body 100 levels deep, with brackets and quotation marks in its texts")
async def deep_body(ground: AttackContext) -> str:
    deep = '[{"a]\\\\\\"}":' * 50 + "1" + "}]" * 50
    await assert_refused_over_http(ground, roles_argument(deep), "more than 64 levels deep", status=413)
    return "refused before it is parsed, with the limit"


@attack(AREA, "A body in UTF-16, which hides what it holds from a count of its bytes")
async def other_encoding(ground: AttackContext) -> str:
    content = message("auth_get_roles", roles_argument(json.dumps([1] * 90_000))).decode().encode("utf-16")
    async with open_http_client(ground) as post:
        answer = await post("auth_get_roles", content)
    assert answer.status_code == 400
    assert "UTF-8" in answer.text
    return "refused before it is parsed; the error names the encoding"


@attack(AREA, "An object of 50,000 fields that nobody declared")
async def undeclared_fields(ground: AttackContext) -> str:
    many = json.dumps({f"k{n}": 1 for n in range(50_000)})
    args = f'{{"tenant_id": "t-1", "email": "a@example.com", "attributes": {many}}}'
    async with open_http_client(ground) as post:
        answer = await post("auth_create_tenant_user", message("auth_create_tenant_user", args))
    assert "attributes: the object has more than 1,000 fields" in answer.text
    return "refused; the error names the field and the limit"


@attack(AREA, "The name of a tool that is 3 million characters long")
async def long_name(ground: AttackContext) -> str:
    surface = ToolSurface(
        build_pipeline(StubApi(ground.catalogue), open_saas_store(ground.folder, "saas-under-test")), "en"
    )
    await surface.run(Call("auth_get_nothing", {}, PRINCIPAL))  # the first call imports and opens what later ones use
    limit = LONG * time_unit()
    async with measure_delays() as seen:
        answer = await surface.run(Call("auth_get_" * 350_000, {}, PRINCIPAL))
    assert seen.cpu < limit
    assert len(str(answer)) < 2_000
    return "refused; the answer repeats 80 characters of it"


@attack(AREA, "A search for 2 million characters of text in odd width and case")
async def long_query(ground: AttackContext) -> str:
    surface = ToolSurface(
        build_pipeline(StubApi(ground.catalogue), open_saas_store(ground.folder, "saas-under-test")), "en"
    )
    await surface.run(Call("search_operations", {"query": "role"}, PRINCIPAL))
    limit = LONG * time_unit()
    async with measure_delays() as seen:
        await surface.run(
            Call(
                "search_operations", {"query": "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}a@" * 700_000}, PRINCIPAL
            )
        )
    assert seen.cpu < limit
    return "answered; the first 200 characters count"


@attack(AREA, "One caller sends more large work than there are threads")
async def all_threads(_: AttackContext) -> str:
    free, order = threading.Event(), []

    async def send(who: str, work: Callable[[], object]) -> None:
        await worker_threads.run_in_worker(who, work)
        order.append(who)

    async with anyio.create_task_group() as tasks:
        for _number in range(20):
            tasks.start_soon(send, "token:mallory", free.wait)
        await anyio.wait_all_tasks_blocked()
        try:
            with anyio.fail_after(20):
                await send("token:alice", lambda: None)
                await anyio.to_thread.run_sync(lambda: None)
        finally:
            free.set()
    assert order[0] == "token:alice"
    return "another caller's large work is done first"


@attack(AREA, "Log bodies of 300 KB, which outsiders wrote and which are searched for secrets")
async def log_bodies(ground: AttackContext) -> str:
    logs = {"api_logs": [{"request_body": "token aaa " * 30_000}]}
    shaped = threading.Event()

    def waiting(*given: Any) -> Any:
        if len(given[1].body) > worker_threads.LARGE_BYTES:
            assert shaped.wait(30)
        return shape(*given)

    ground.monkeypatch.setattr("saasus_mcp.server.pipeline.call_sender.build_answer", waiting)
    api = StubApi(ground.catalogue, answers={"apilog.GetLogs": logs})
    behind = build_pipeline(api, open_saas_store(ground.folder, "saas-under-test"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(behind.run, Call("apilog_get_logs", {}, PRINCIPAL))
        await anyio.wait_all_tasks_blocked()
        assert (await behind.run(Call("auth_get_roles", {}, PRINCIPAL))).ok  # type: ignore[union-attr]
        shaped.set()
    return "other calls are answered while they are searched"


@attack(AREA, "A list of 10,000 values that fit, so that each must be looked at")
async def many_right_items(ground: AttackContext) -> str:
    answered = threading.Event()
    real = arguments.check_arguments

    def waiting(operation: Any, raw: Any) -> Any:
        if len(raw.get("role_names", "")) > worker_threads.LARGE_VALUES:
            assert answered.wait(20)
        return real(operation, raw)

    ground.monkeypatch.setattr(arguments, "check_arguments", waiting)
    behind = build_pipeline(StubApi(ground.catalogue), open_saas_store(ground.folder, "saas-under-test"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(
            behind.run, Call("auth_create_tenant_user_roles", {**ROLES, "role_names": ["a"] * 10_000}, PRINCIPAL)
        )
        await anyio.wait_all_tasks_blocked()
        await behind.run(Call("auth_get_roles", {}, PRINCIPAL))
        answered.set()
    return "other calls are answered while they are checked"


async def _ignore(_: object, __: str, ___: object) -> None:
    """Handle a notification."""


async def read_stdin(*sent: bytes) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the methods of the messages that the SDK gets of a client's input on stdio, and the errors that the client gets."""
    (reading, theirs), (mine, writing) = os.pipe(), os.pipe()
    given = list[str]()

    async def note(_: object, method: str, __: object) -> dict[str, Any]:
        given.append(method)
        return {}

    async def listen() -> None:
        await StdioDispatcher(PipeTransport(reading, writing)).run(note, _ignore)
        os.close(writing)

    def send() -> None:
        with os.fdopen(theirs, "wb") as pipe:
            pipe.write(b"\n".join(sent) + b"\n")

    with os.fdopen(mine, "rb") as answers:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            tasks.start_soon(partial(anyio.to_thread.run_sync, send))
            read = await anyio.to_thread.run_sync(answers.read)
    os.close(reading)
    return given, [each for each in map(json.loads, read.splitlines()) if "error" in each]


@attack(AREA, "4 MB of empty lists on standard input")
async def empty_lists_on_stdio(_: AttackContext) -> str:
    params = roles_argument("[" + "[]," * 1_300_000 + "[]]")
    large = f'{{"method":"tools/call","params":{params},"jsonrpc":"2.0","id":"r-7"}}'.encode()
    small = b'{"jsonrpc":"2.0","id":8,"method":"ping"}'
    given, answered = await read_stdin(large, small)
    assert given == ["ping"]
    assert [(each["id"], each["error"]["code"]) for each in answered] == [("r-7", -32600)]
    return "answered with an error under its id; the next message is served"


@attack(AREA, "A line of more than 16 MiB on standard input")
async def endless_line(_: AttackContext) -> str:
    small = b'{"jsonrpc":"2.0","id":8,"method":"ping"}'
    longest = MAX_LINE_BYTES
    given, answered = await read_stdin(b'{"jsonrpc":"2.0","id":7,"method":"' + b"x" * (longest + 200_000), small)
    assert given == ["ping"]
    assert [each["id"] for each in answered] == [7]
    assert "16 MiB" in answered[0]["error"]["message"]
    return "its beginning and its end are kept, and an error tells the limit"


@attack(AREA, "A sign-in page of 3 MB, with more brackets and commas than a message may have values")
async def large_page(ground: AttackContext) -> str:
    page = '<p class="a">[1, 2, {3}]</p>\n' * 100_000
    args = {"sign_in_page": {"html_contents": page, "is_terms_of_service": False, "is_privacy_policy": False}}
    assert find_excess(message("auth_update_customize_pages", json.dumps(args))) is None
    assert arguments.check_arguments(ground.catalogue.find("auth.UpdateCustomizePages"), args) == args
    return "accepted: text is counted as one value"
