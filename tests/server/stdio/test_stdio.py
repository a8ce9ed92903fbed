"""The server on pipes: every id is answered once and the server survives, whatever a client writes."""

from __future__ import annotations

import json
import logging
from collections import Counter
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from saasus_mcp.catalog import Catalogue
from saasus_mcp.server.mcp_server import build_server
from saasus_mcp.server.stdio import dispatcher
from saasus_mcp.server.stdio.dispatcher import StdioDispatcher
from saasus_mcp.server.stdio.log_throttle import FIRST_LINES, RepeatFilter
from saasus_mcp.server.stdio.pipe_transport import PipeTransport
from saasus_mcp.server.stdio.protocol_eras import serve
from saasus_mcp.server.stdio.thread_transport import ThreadTransport
from saasus_mcp.store.store import Store
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline
from tests.support.saas_store import open_saas_store
from tests.support.stdio_client import MakeWire, initialize, line, request, served


@pytest.mark.parametrize("make", [PipeTransport, ThreadTransport])
async def test_a_refused_message_is_answered_under_its_id_and_the_rest_is_served(
    catalogue: Catalogue, store: Store, make: MakeWire
) -> None:
    called = request("s", "tools/call", name="auth_create_role", arguments={"role_name": "r", "display_name": "\ud83d"})
    async with served(catalogue, store, make) as (client, api, _):
        await client.send(b"\xef\xbb\xbf" + initialize() + b"nonsense\n" + line(called))
        await client.send(b'{"jsonrpc":"2.0","id":4,"method":"ping","params":{"a":' + b"9" * 5000 + b"}}\n")
        await client.send(line([request(5, "ping"), request(6, "ping")]) + line(request(7, "ping")))
        heard = {each["id"]: each for each in await client.until(7)}
    assert heard.keys() == {"initialize", "s", 4, 5, 6, 7}
    assert "params.arguments.display_name" in heard["s"]["error"]["message"]
    assert [heard[each]["error"]["code"] for each in ("s", 4, 5, 6)] == [-32602, -32700, -32600, -32600]
    assert api.writes == []


async def test_a_batch_is_answered_message_by_message_where_the_client_speaks_its_revision(
    catalogue: Catalogue, store: Store
) -> None:
    async with served(catalogue, store) as (client, _, _):
        await client.send(initialize("2025-03-26") + line([request(1, "ping"), request(2, "tools/list"), 3]))
        await client.send(line(request(4, "ping")))
        heard = [await client.next() for _ in range(4)]
    answered = {each["id"]: each for each in heard}
    assert answered.keys() == {"initialize", 1, 2, 4}
    assert answered[2]["result"]["tools"]


@pytest.mark.parametrize(
    "response",
    [
        b'{"jsonrpc":"2.0","id":ID,"result":"yes"}',
        b'{"jsonrpc":"2.0","id":"ID","result":null}',
        b'{"jsonrpc":"2.0","id":ID}',
        b'{"jsonrpc":"2.0","id":ID,"error":"no"}',
        b'{"jsonrpc":"2.0","id":ID,"result":{"action":"accept"',
        rb'{"jsonrpc":"2.0","id":ID,"result":{"action":"accept","content":{"confirm":"\ud83d"}}}',
        b'{"jsonrpc":"2.0","id":ID,"result":{}}',
        b'{"jsonrpc":"2.0","id":ID,"result":{"action":"maybe"}}',
        b'{"jsonrpc":"2.0","id":ID,"result":{"action":"accept","content":"yes"}}',
        b'[{"jsonrpc":"2.0","id":ID,"result":{"action":"accept"}}]',
    ],
)
async def test_an_answer_to_a_question_that_cannot_be_read_ends_the_call(
    catalogue: Catalogue, store: Store, response: bytes
) -> None:
    call = request(1, "tools/call", name="auth_update_tenant_billing_info", arguments=BILLING)
    async with served(catalogue, store) as (client, api, _):
        await client.send(initialize() + line(call))
        question = (await client.until("initialize"), await client.next())[1]
        assert question["method"] == "elicitation/create"
        told = await client.answer(response.replace(b"ID", str(question["id"]).encode()) + b"\n", 1)
    assert told["result"]["isError"]
    assert "is not an elicitation result" in told["result"]["content"][0]["text"]
    assert api.writes == []


BILLING = {
    "tenant_id": "tenant-1",
    "name": "Aozora",
    "address": {
        "street": "1",
        "city": "c",
        "state": "s",
        "country": "JP",
        "additional_address_info": "",
        "postal_code": "1",
    },
    "invoice_language": "ja-JP",
}


async def test_standard_error_is_bounded_and_repeats_nothing(
    catalogue: Catalogue, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, dispatcher.__name__):
        async with served(catalogue, store) as (client, _, _):
            await client.send(
                b"sesame\n" * 2_000 + b'[]\n{"jsonrpc":"2.0","id":9,"result":{}}\n' + line(request(1, "ping"))
            )
            await client.until(1)
    told = [record.getMessage() for record in caplog.records]
    kinds = Counter(
        next(kind for kind in ("not JSON", "batch is empty", "does not match a pending request") if kind in each)
        for each in told
    )
    assert kinds == {"not JSON": FIRST_LINES + 3, "batch is empty": 1, "does not match a pending request": 1}
    assert "(1000 for this reason so far)" in told[FIRST_LINES + 2]
    assert "sesame" not in caplog.text


class CrowdedTransport:
    """A transport with lines in its queue. It notes how many were read when each answer was written."""

    discarded_id: str | None = None

    def __init__(self, *waiting: bytes) -> None:
        self._waiting, self._taken = iter(waiting), 0
        self.answered: dict[Any, int] = {}

    async def read_lines(self) -> list[bytes]:
        self._taken += 1
        return list(islice(self._waiting, 1))

    def end_input(self) -> None:
        self._waiting = iter(())

    def write_now(self, data: bytes) -> bytes:
        return data

    async def write(self, data: bytes) -> None:
        self.answered[json.loads(data)["id"]] = self._taken


async def test_lines_that_are_refused_keep_nobody_from_an_answer(catalogue: Catalogue, store: Store) -> None:
    wire = CrowdedTransport(*initialize().splitlines(), line(request(1, "ping")), *[b"noise"] * 2_000)
    server = build_server(build_pipeline(StubApi(catalogue), store), lambda _: PRINCIPAL, "en")
    await serve(server, StdioDispatcher(wire))
    assert wire.answered[1] < 100


async def test_a_client_that_reads_late_gets_whole_lines(catalogue: Catalogue, store: Store) -> None:
    lists = [line(request(f"list-{number}", "tools/list")) for number in range(3)]  # more than a pipe holds
    short = [
        each for number in range(20) for each in (line(request(number, "ping")), b'{"jsonrpc":"2.0","id":"bad"}\n')
    ]
    async with served(catalogue, store) as (client, _, _):
        await client.send(b"".join([initialize(), *lists, *short, line(request("last", "ping"))]))
        await anyio.wait_all_tasks_blocked()
        heard = [await client.next() for _ in range(1 + len(lists) + len(short) + 1)]
    answered = [message["id"] for message in heard]
    assert sorted(map(str, answered)) == sorted(
        ["initialize", "last", *["bad"] * 20, *map(str, range(20)), *(f"list-{number}" for number in range(3))]
    )


class BusyTransport(CrowdedTransport):
    """A transport whose client takes its time to read."""

    def __init__(self, *waiting: bytes) -> None:
        super().__init__(*waiting)
        self.written: list[bytes] = []

    async def write(self, data: bytes) -> None:
        self.written.append(data)
        for _ in range(100):
            await anyio.lowlevel.checkpoint()


async def test_answers_that_are_ready_together_are_written_together(catalogue: Catalogue, store: Store) -> None:
    pings = [line(request(number, "ping")) for number in range(1, 33)]
    wire = BusyTransport(*initialize().splitlines(), *pings)
    server = build_server(build_pipeline(StubApi(catalogue), store), lambda _: PRINCIPAL, "en")
    await serve(server, StdioDispatcher(wire))
    answers = [json.loads(each)["id"] for each in b"".join(wire.written).splitlines()]
    assert answers[1:] == list(range(1, 33))
    assert len(wire.written) <= 8


async def test_reports_of_the_sdk_on_a_clients_messages_are_bounded_too(
    catalogue: Catalogue, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.addFilter(repeats := RepeatFilter())
    try:
        async with served(catalogue, store) as (client, _, _):
            malformed = line({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": "x"}})
            await client.send(initialize() + malformed * 100 + line(request(1, "ping")))
            await client.until(1)
    finally:
        caplog.handler.removeFilter(repeats)
    told = [record for record in caplog.records if "malformed params" in record.getMessage()]
    assert len(told) == FIRST_LINES + 2
    assert all(repeats.filter(logging.makeLogRecord({"name": "saasus_mcp.x", "msg": "y"})) for _ in range(100))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"name": "x", "_meta": {"progressToken": None}}, "`params._meta.progressToken` has none of the forms"),
        ({"name": "auth_get_roles", "arguments": "x"}, "`params.arguments` must be an object."),
        ({"name": "auth_get_roles", "arguments": ["x"]}, "`params.arguments` must be an object."),
        ({"name": 7}, "`params.name` must be a string."),
        ({}, "`params.name` is missing."),
        ({"name": "auth_get_roles", "inputResponses": {"confirm": "yes"}}, "`params.inputResponses.confirm` has none"),
    ],
)
async def test_params_that_do_not_fit_are_named(catalogue: Catalogue, store: Store, params: Any, said: str) -> None:
    async with served(catalogue, store) as (client, _, _):
        await client.send(initialize())
        told = await client.answer(line(request(1, "tools/call", **params)), 1)
    assert told["error"]["code"] == -32602
    assert said in told["error"]["message"]


async def test_a_request_before_the_handshake_is_refused_with_a_hint(catalogue: Catalogue, store: Store) -> None:
    async with served(catalogue, store) as (client, _, _):
        told = await client.answer(line(request(1, "tools/list")), 1)
    assert "Send `initialize` first" in told["error"]["message"]


async def test_an_answer_that_is_no_json_costs_no_connection(
    catalogue: Catalogue, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(catalogue, store) as (client, _, _):
        await client.send(initialize())
        await client.until("initialize")
        monkeypatch.setattr("saasus_mcp.server.results.result_store.compact_json", lambda _: "\ud83d", raising=False)
        monkeypatch.setattr("saasus_mcp.server.tool_handlers.describe_destination", lambda *_: "\ud83d")
        told = await client.answer(line(request(1, "tools/call", name="auth_get_roles", arguments={})), 1)
        assert told["error"] == {"code": -32603, "message": "Internal server error; see the server log."}
        assert (await client.answer(line(request(2, "ping")), 2))["result"] == {}


@pytest.mark.parametrize("make", [PipeTransport, ThreadTransport])
async def test_a_conversation_that_is_ended_ends_although_its_input_is_open(
    catalogue: Catalogue, store: Store, make: MakeWire
) -> None:
    async with served(catalogue, store, make) as (client, _, conversation):
        await client.answer(initialize(), "initialize")
        conversation.end()
        await client.send(line(request(1, "ping")))


KEYS = st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "i", "\ud83d"])
METHODS = st.sampled_from(
    ["ping", "tools/list", "tools/call", "x", "initialize", "notifications/initialized", "server/discover"]
)
IDS = st.integers(0, 9) | st.sampled_from(["a", "", "é", None, True, 1.5, 2.0, 10**400])
LEAVES = METHODS | IDS | st.just("2.0")
OBJECTS = st.dictionaries(
    KEYS, st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=8)
)
CALLS = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "id": IDS, "method": METHODS},
    optional={"params": LEAVES | OBJECTS, "result": LEAVES | OBJECTS, "x": OBJECTS},
)
MESSAGES = st.one_of(CALLS, OBJECTS, st.lists(CALLS | OBJECTS | LEAVES, max_size=4))
NOISE = st.binary(max_size=60).map(lambda noise: noise.replace(b"\n", b" "))


@st.composite
def sent_lines(draw: st.DrawFn) -> bytes:
    """Return a message as it is, truncated, or with noise in it."""
    text = json.dumps(draw(MESSAGES)).encode()
    at = draw(st.integers(0, len(text)))
    return draw(st.sampled_from([text, text, text[:at], text[:at] + draw(NOISE) + text[at:], draw(NOISE)]))


@pytest.mark.slow
@settings(suppress_health_check=list(HealthCheck))
@given(st.lists(sent_lines(), max_size=12), st.sampled_from(["2025-03-26", "2025-11-25"]))
@example([b'{"id":1,"jsonrpc":"2.0","method":"ping"}', b'{"id":1', b"[", b"{", b'"', b"\xff\xfe{\x00"], "2025-03-26")
@example([b'{"id":1' + b"0" * 400 + b',"jsonrpc":"2.0","method":"ping","params":{"a":"\\ud83d"}}'], "2025-11-25")
def test_after_any_bytes_each_id_was_answered_once_and_the_server_lives(
    catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], revision: str
) -> None:
    anyio.run(partial(_fuzzed, catalogue, tmp_path_factory.mktemp("fuzzed"), lines, revision))


async def _fuzzed(catalogue: Catalogue, folder: Path, lines: list[bytes], revision: str) -> None:
    store = open_saas_store(folder, "saas-1")
    try:
        async with served(catalogue, store) as (client, _, _):
            await client.send(initialize(revision) + b"".join(each + b"\n" for each in lines))
            wanted = Counter(repr(one) for each in lines for one in ids_to_answer(each) or [])
            wanted["'initialize'"] += 1
            heard = Counter[str]()
            while wanted - heard:
                heard[repr((await client.next())["id"])] += 1
            await client.send(line(request("last", "ping")))
            heard.update(repr(each["id"]) for each in (await client.until("last"))[:-1])
    finally:
        store.close()
    broken = sum(ids_to_answer(each) is None for each in lines)  # in these, too, an id may be found
    heard.pop("None", None)  # of requests whose id no answer can repeat
    assert all(wanted[one] <= count <= wanted[one] + broken for one, count in heard.items()), heard - wanted


def ids_to_answer(text: bytes) -> list[Any] | None:
    """Return the ids that need an answer, in a message or a batch, or None if it is not JSON."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return [
        int(each["id"]) if each["id"] == 2.0 else each["id"]
        for each in (value if isinstance(value, list) else [value])
        if isinstance(each, dict)
        and type(each.get("id")) in (int, float, str)
        and ("method" in each or not {"result", "error"} & each.keys())
    ]
