"""Two replicas: each serves every request of a session, and takes what belongs to a request of the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import httpx2
import pytest

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.hosting.sessions import client_session, exchange, mailbox_service
from saasus_mcp.hosting.sessions.exchange import Exchange
from saasus_mcp.store.errors import StoreError
from tests.support.arguments import complete_arguments
from tests.support.gate import target_answers
from tests.support.handshake_client import ELICITATION, HandshakeClient, handshake_client
from tests.support.held_network import HeldNetwork
from tests.support.hosting_server import HostingServer, StaticAuthenticator, build_caller, build_server, error_message
from tests.support.pipeline import requested_name
from tests.support.processes import TIMEOUT

CALLERS = StaticAuthenticator({name: build_caller(name, "support") for name in ("alice", "bob")})
PLACES = ("here", "there")


@dataclass
class Pair:
    """Two replicas before one stub of the API, and the session of alice at the first one."""

    first: HostingServer
    second: HostingServer
    here: str
    there: str
    alice: HandshakeClient
    operation: Operation

    def url(self, place: str) -> str:
        return self.here if place == "here" else self.there

    @property
    def writes(self) -> list[Any]:
        return self.first.apis["default"].writes

    @property
    def ends(self) -> list[dict[str, Any]]:
        """What the audit log says of calls that ended or were refused."""
        store = self.first.served["default"].pipeline.store
        return [each for each in store.audit_log.list_records() if each["event"] in {"ended", "refused"}]

    def asking(self) -> Any:
        """Call a tool that asks a person."""
        return self.alice.call(self.here, self.operation.tool, complete_arguments(self.operation))


@asynccontextmanager
async def start_pair(
    catalogue: Catalogue, network: HeldNetwork | None = None, headers: Mapping[str, str] = {}
) -> AsyncIterator[Pair]:
    wrap = network.wrap if network else (lambda transport: transport)
    first = build_server(catalogue, known=CALLERS, through=wrap)
    second = build_server(catalogue, known=CALLERS, replica_of=first)
    operation = catalogue.find("auth_delete_tenant_user")
    first.apis["default"].answers = target_answers(catalogue, operation)
    async with (
        first.serve() as here,
        second.serve() as there,
        handshake_client("alice", **headers) as alice,
    ):
        await alice.initialize(here, **ELICITATION)
        yield Pair(first, second, here, there, alice, operation)


@pytest.fixture
async def pair(catalogue: Catalogue) -> AsyncIterator[Pair]:
    async with start_pair(catalogue) as two:
        yield two


def consent(question: dict[str, Any]) -> dict[str, Any]:
    params = question["params"]
    if "name" in params["requestedSchema"]["properties"]:
        return {"name": requested_name(params["message"])}
    return {"confirm": True}


async def test_a_session_of_one_replica_goes_on_at_the_other(pair: Pair) -> None:
    for url in (pair.there, pair.here, pair.there):
        listed = await pair.alice.send(url, {"id": 1, "method": "tools/list"})
        assert "auth_delete_tenant_user" in listed.text
        assert listed.headers["Mcp-Session-Id"] == pair.alice.session


@pytest.mark.parametrize("place", PLACES)
async def test_a_question_is_answered_through_any_replica_and_the_call_goes_once(pair: Pair, place: str) -> None:
    async with pair.asking() as call:
        question = await call.question()
        assert pair.writes == []
        assert (await pair.alice.answer(pair.url(place), question, consent(question))).status_code == 202
        given = await call.result()
    assert not given["result"]["isError"]
    assert len(pair.writes) == 1
    again = await pair.alice.answer(pair.url(place), question, consent(question))
    assert again.status_code == 400
    assert "no longer open" in error_message(again)
    assert len(pair.writes) == 1


@pytest.mark.parametrize("place", PLACES)
async def test_a_question_is_answered_only_in_its_own_session(pair: Pair, place: str) -> None:
    url = pair.url(place)
    async with pair.asking() as call, handshake_client("bob") as bob, handshake_client("alice") as other:
        question = await call.question()
        await bob.initialize(url)
        await other.initialize(url)
        refused = [await each.answer(url, question, consent(question)) for each in (bob, other)]
        bob.session = pair.alice.session
        refused.append(await bob.answer(url, question, consent(question)))
        assert [each.status_code for each in refused] == [400, 400, 404]
        made_up = await pair.alice.answer(url, {"id": f"{'0' * 32}-1"}, {})
        assert made_up.status_code == 400
        assert pair.writes == []
        await pair.alice.answer(url, question, consent(question))
        assert not (await call.result())["result"]["isError"]
    assert len(pair.writes) == 1


@pytest.mark.parametrize("meta", [{}, {"progressToken": 1}], ids=["short", "with progress"])
@pytest.mark.parametrize("place", PLACES)
async def test_a_call_is_cancelled_through_any_replica(
    catalogue: Catalogue, place: str, meta: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saasus_mcp.hosting.sessions.session_server.OPEN_SECONDS", 0.0)
    network = HeldNetwork(catalogue, "auth.GetRoles")
    cancel = {"method": "notifications/cancelled", "params": {"requestId": 7}}
    answers: list[httpx2.Response] = []
    async with start_pair(catalogue, network) as pair, anyio.create_task_group() as calling:

        async def call() -> None:
            params = {"name": "auth_get_roles", "arguments": {}, "_meta": meta}
            answers.append(await pair.alice.send(pair.here, {"id": 7, "method": "tools/call", "params": params}))

        calling.start_soon(call)
        await network.arrived.wait()
        with anyio.fail_after(30):
            while not answers:
                # Other replicas know of a call once it takes longer, so an early cancellation reaches nobody.
                assert (await pair.alice.send(pair.url(place), cancel)).status_code == 202
                await anyio.sleep(0.05)
        assert '"code":-32800' in answers[0].text
        assert [each["applied"] for each in pair.ends] == ["not_applied"]


@pytest.mark.parametrize("place", PLACES)
async def test_a_session_ends_at_every_replica(
    catalogue: Catalogue, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_session, "RECHECK_SECONDS", 0.0)
    async with start_pair(catalogue) as pair, pair.asking() as call:
        question = await call.question()
        assert (await pair.alice.send(pair.url(place), {}, "DELETE")).status_code == 200
        assert [await pair.alice.ping(url) for url in (pair.here, pair.there)] == [404, 404]
        assert (await pair.alice.answer(pair.here, question, consent(question))).status_code == 404
        assert pair.writes == []


async def test_a_session_ends_while_one_of_its_requests_ends(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    answered, taken, ended = anyio.Event(), anyio.Event(), anyio.Event()
    run, serve, body_receiver = Exchange.run, Exchange.serve, exchange.body_receiver

    async def run_to_end(self: Exchange, **options: Any) -> None:
        await run(self, **options)
        ended.set()

    def receive_late(body: bytes, *more: Any) -> Any:
        receive = body_receiver(body, *more)

        async def late() -> Any:
            taken.set()
            await ended.wait()
            return await receive()

        return late

    async def send_slowly(send: Any, message: Any) -> None:
        await send(message)
        answered.set()
        await taken.wait()

    monkeypatch.setattr(Exchange, "run", run_to_end)
    monkeypatch.setattr(
        Exchange, "serve", lambda self, scope, receive, send: serve(self, scope, receive, partial(send_slowly, send))
    )
    monkeypatch.setattr(exchange, "body_receiver", receive_late)
    async with pair.alice.call(pair.here, "time_convert", {}):  # no short read, which has no stream
        await answered.wait()
        try:
            with anyio.fail_after(TIMEOUT):
                assert (await pair.alice.send(pair.here, {}, "DELETE")).status_code == 200
        finally:
            taken.set()
            ended.set()


async def test_a_question_whose_client_has_gone_ends_and_nothing_is_sent(pair: Pair) -> None:
    async with pair.asking() as call:
        question = await call.question()
    with anyio.fail_after(30):
        await pair.first.metrics.requests.wait_until_zero()
    for url in (pair.here, pair.there):
        answer = await pair.alice.answer(url, question, consent(question))
        assert (answer.status_code, "no longer open" in error_message(answer)) == (400, True)
    assert pair.writes == []


async def test_a_question_of_a_server_that_stops_becomes_an_approval(pair: Pair) -> None:
    async with pair.asking() as call:
        question = await call.question()
        await pair.first.hosted.limiter.drain(0)
        given = await call.result()
        assert given["result"]["isError"]
        assert "saasus-mcp approve" in str(given)
    late = await pair.alice.answer(pair.there, question, consent(question))
    assert (late.status_code, pair.writes) == (400, [])
    assert await pair.alice.ping(pair.there) == 200


async def test_an_answer_that_the_asking_replica_does_not_take_is_refused(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox_service, "TAKE_SECONDS", 0.1)

    async def dead(*_: Any) -> AsyncIterator[Any]:
        nothing: tuple[Any, ...] = ()
        for each in nothing:
            yield each

    monkeypatch.setattr(mailbox_service.MailboxService, "take_messages", dead)
    async with pair.asking() as call:
        question = await call.question()
        refused = await pair.alice.answer(pair.there, question, consent(question))
        assert (refused.status_code, "no longer open" in error_message(refused)) == (400, True)
    assert pair.writes == []


async def test_without_the_store_sessions_go_on_and_an_answer_elsewhere_is_an_outage(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pair.asking() as call:
        question = await call.question()
        mailboxes = pair.first.served["default"].pipeline.store.mailboxes

        def fail(*_: Any, **__: Any) -> Any:
            raise StoreError.of("store.database_failed")

        for name in ("open", "post", "list_messages", "refresh", "has_ended", "find"):
            monkeypatch.setattr(mailboxes, name, fail)
        assert [await pair.alice.ping(url) for url in (pair.here, pair.there)] == [200, 200]
        late = await pair.alice.answer(pair.there, question, consent(question))
        assert (late.status_code, late.headers["Retry-After"]) == (503, "2")
        assert (await pair.alice.answer(pair.here, question, consent(question))).status_code == 202
        assert not (await call.result())["result"]["isError"]
    assert len(pair.writes) == 1


async def test_the_narrowing_of_a_session_holds_at_the_other_replica(catalogue: Catalogue) -> None:
    async with start_pair(catalogue, headers={"X-MCP-Readonly": "true"}) as pair:
        pair.alice.headers = {key: value for key, value in pair.alice.headers.items() if key != "X-MCP-Readonly"}
        listed = await pair.alice.send(pair.there, {"id": 1, "method": "tools/list"})
        assert "auth_get_tenants" in listed.text
        assert "auth_delete_tenant" not in listed.text


async def test_a_message_outside_a_session_is_explained(pair: Pair) -> None:
    missing = HandshakeClient(pair.alice.http, pair.alice.headers)
    without = await missing.http.post(
        f"{pair.here}/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers=missing.headers
    )
    assert (without.status_code, "initialize" in error_message(without)) == (400, True)
    for body in ({"id": 1}, {"method": 5}, {}):
        assert (await pair.alice.send(pair.there, body)).status_code == 400
    assert (await pair.alice.send(pair.there, {"method": "notifications/initialized"})).status_code == 202
    large = await pair.alice.send(pair.there, {"id": f"{'0' * 32}-1", "result": {"text": "x" * 70_000}})
    assert large.status_code == 413


async def test_a_stream_that_its_client_closes_is_nothing_to_log(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    headers = {**pair.alice.headers, "Mcp-Session-Id": pair.alice.session}
    for _ in range(3):
        async with pair.alice.http.stream("GET", f"{pair.there}/mcp", headers=headers) as stream:
            assert stream.status_code == 200
        with anyio.fail_after(30):
            await pair.second.metrics.requests.wait_until_zero()
    assert [each.getMessage() for each in caplog.records if each.levelname == "ERROR"] == []
