"""Whose a request is, is found out in the turn of the one that its token named a moment ago."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field

import anyio
import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.hosting.auth.authentication import Caller
from saasus_mcp.hosting.limits import concurrency
from saasus_mcp.hosting.limits.concurrency import MAX_CHECKS_EACH
from saasus_mcp.hosting.limits.recent_tokens import RecentTokens
from tests.support.hosting_server import INITIALIZE, MCP, build_caller, build_server
from tests.support.processes import TIMEOUT
from tests.support.shared_server import open_streams, read_status, wait_until

KNOWN = {"alice-1": build_caller("alice"), "alice-2": build_caller("alice"), "bob": build_caller("bob")}
STREAM = "GET /sse HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nAuthorization: Bearer {}\r\n\r\n"


@dataclass
class Slow:
    """Checks tokens. Those of `held` wait until the end of the test; `begun` counts the checks of each."""

    known: dict[str, Caller] = field(default_factory=lambda: dict(KNOWN))
    held: set[str] = field(default_factory=set)
    begun: Counter[str] = field(default_factory=Counter)

    async def authenticate(self, token: str) -> Caller | None:
        self.begun[token] += 1
        if token in self.held:
            await anyio.sleep_forever()
        return self.known.get(token)


def of(token: str) -> dict[str, str]:
    return {**MCP, "Authorization": f"Bearer {token}"}


def client(url: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=url, timeout=TIMEOUT, limits=httpx2.Limits(max_connections=None))


async def posted(http: httpx2.AsyncClient, token: str) -> int:
    return (await http.post("/mcp", json=INITIALIZE, headers=of(token))).status_code


@pytest.mark.slow
@pytest.mark.parametrize("hostile", ["alice-1", "nobody"])
async def test_however_many_requests_of_one_wait_for_their_check_another_is_checked(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, hostile: str
) -> None:
    monkeypatch.setattr(concurrency, "CHECK_SECONDS", TIMEOUT)
    slow = Slow()
    async with build_server(catalogue, {"default": "*"}, slow).serve() as url, client(url) as http:
        assert [await posted(http, token) for token in ("alice-1", "bob")] == [200, 200]
        slow.held, slow.begun = {hostile}, Counter()
        async with anyio.create_task_group() as tasks:
            for _ in range(40):
                tasks.start_soon(posted, http, hostile)
            while slow.begun[hostile] < MAX_CHECKS_EACH:  # noqa: ASYNC110 - nothing tells
                await anyio.sleep(0.01)
            assert await posted(http, "bob") == 200
            assert slow.begun[hostile] == MAX_CHECKS_EACH, "the others wait in their caller's queue"
            tasks.cancel_scope.cancel()


@pytest.mark.slow
async def test_a_check_that_hangs_lets_the_next_one_begin(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrency, "CHECK_SECONDS", 0.01)
    slow = Slow(held={"nobody"})
    served = build_server(catalogue, {"default": "*"}, slow)
    async with served.serve() as url, client(url) as http, anyio.create_task_group() as tasks:
        for _ in range(3 * MAX_CHECKS_EACH):
            tasks.start_soon(posted, http, "nobody")
        with anyio.fail_after(TIMEOUT):
            while slow.begun["nobody"] < 3 * MAX_CHECKS_EACH:  # noqa: ASYNC110 - nothing tells
                await anyio.sleep(0.01)
            assert await posted(http, "bob") == 200, "a token that was never seen before"
        tasks.cancel_scope.cancel()


@pytest.mark.slow
async def test_any_number_of_tokens_that_are_not_valid_leaves_the_server_ready_for_those_that_are(
    catalogue: Catalogue,
) -> None:
    slow = Slow()
    async with build_server(catalogue, {"default": "*"}, slow).serve() as url, client(url) as http:
        assert await posted(http, "bob") == 200
        slow.held = {"nobody"}
        refused: list[int] = []

        async def one() -> None:
            refused.append(await posted(http, "nobody"))

        async with anyio.create_task_group() as tasks:
            for _ in range(260):  # 250 places for requests that are not signed in, of 1000
                tasks.start_soon(one)
            with anyio.fail_after(TIMEOUT):
                while len(refused) < 10:  # noqa: ASYNC110 - nothing tells
                    await anyio.sleep(0.01)
            assert set(refused) == {503}
            assert await posted(http, "bob") == 200
            ready = await http.get("/readyz")
            tasks.cancel_scope.cancel()
    assert (ready.status_code, ready.json()["capacity"]) == (200, "ok")


async def test_a_token_that_is_no_longer_valid_takes_nothing_of_its_former_principals_share(
    catalogue: Catalogue,
) -> None:
    slow = Slow()
    served = build_server(catalogue, {"default": "*"}, slow, connections=10, connections_per_caller=1)
    async with served.serve() as url, client(url) as http:
        assert await posted(http, "alice-1") == 200
        del slow.known["alice-1"]
        await wait_until(lambda: served.metrics.requests.count == 0)
        assert await posted(http, "alice-1") == 401
        async with open_streams(url, 1, STREAM.format("alice-2")) as [stream]:
            assert await read_status(stream) == 200
            assert await posted(http, "alice-1") == 401, "not 429: the place that is taken is not its holder's"
            assert await posted(http, "alice-2") == 429


async def test_a_request_beyond_its_callers_share_is_refused_without_a_check(catalogue: Catalogue) -> None:
    slow = Slow()
    served = build_server(catalogue, {"default": "*"}, slow, connections=10, connections_per_caller=1)
    async with served.serve() as url, client(url) as http, open_streams(url, 1, STREAM.format("alice-1")) as [stream]:
        assert await read_status(stream) == 200
        checked = slow.begun["alice-1"]
        assert [await posted(http, "alice-1") for _ in range(3)] == [429] * 3
        assert slow.begun["alice-1"] == checked


def test_the_token_that_was_used_longest_ago_is_forgotten_first() -> None:
    recent = RecentTokens(max_tokens=2)
    for digest, principal in ((b"1", "alice"), (b"2", "bob"), (b"1", "alice"), (b"3", "carol")):
        recent.remember(digest, principal)
    assert [recent.find_principal(digest) for digest in (b"1", b"2", b"3")] == ["alice", "", "carol"]


async def test_large_work_in_threads_hands_the_interpreter_over_sooner_while_a_server_runs(
    catalogue: Catalogue,
) -> None:
    before = sys.getswitchinterval()
    async with build_server(catalogue).serve() as url, client(url) as http:
        assert (await http.get("/healthz")).status_code == 200
        assert sys.getswitchinterval() < before
    assert sys.getswitchinterval() == before
